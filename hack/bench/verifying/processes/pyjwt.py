# Verifies a key set and tokens from standard input, one per line, with PyJWT.
import json
import sys

import jwt

lines = sys.stdin.read().split("\n")
keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(json.loads(lines[0])).keys}
for token in lines[2:]:
    if token:
        header = jwt.get_unverified_header(token)
        jwt.decode(
            token, keys[header["kid"]].key, algorithms=[lines[1]], issuer="https://issuer.example.com", audience="https://orders.example.com",
            leeway=60, options={"require": ["exp", "iat", "sub", "client_id", "jti"]},
        )
