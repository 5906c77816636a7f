// Package strictjson parses untrusted JSON objects, and rejects input that two parsers could interpret differently.
package strictjson
