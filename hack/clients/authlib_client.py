"""Gets tokens with Authlib and verifies them, against the issuer in ISSUER. Prints what it saw as JSON."""
import json
import os

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.oauth2.rfc7523 import PrivateKeyJWT
import requests

issuer, audience = os.environ["ISSUER"], os.environ["AUDIENCE"]
metadata = requests.get(issuer + "/.well-known/oauth-authorization-server", timeout=20).json()
keys = JsonWebKey.import_key_set(requests.get(metadata["jwks_uri"], timeout=20).json())


def verify(token):
    claims = JsonWebToken(["ES256"]).decode(token["access_token"], keys, claims_options={
        "iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": audience}, "exp": {"essential": True},
    })
    claims.validate()
    return {"sub": claims["sub"], "typ": claims.header["typ"]}


seen = {}
for method in ["client_secret_basic", "client_secret_post"]:
    s = OAuth2Session("plain", os.environ["SECRET"], token_endpoint_auth_method=method)
    seen[method] = verify(s.fetch_token(metadata["token_endpoint"], grant_type="client_credentials"))
key = JsonWebKey.import_key(json.loads(os.environ["ROBOT_KEY"]))
robot = OAuth2Session("robot", key.as_pem(is_private=True), token_endpoint_auth_method=PrivateKeyJWT.name)
robot.register_client_auth_method(PrivateKeyJWT(issuer, headers={"kid": key.kid}, alg="ES256"))
seen["private_key_jwt"] = verify(robot.fetch_token(metadata["token_endpoint"], grant_type="client_credentials"))
web = OAuth2Session("web", token_endpoint_auth_method="none")
seen["password"] = verify(web.fetch_token(metadata["token_endpoint"], username="alice", password=os.environ["PASSWORD"]))
try:
    web.fetch_token(metadata["token_endpoint"], username="alice", password="wrong")
    seen["wrong"] = "issued"
except OAuthError as error:
    seen["wrong"] = error.error
print(json.dumps(seen))
