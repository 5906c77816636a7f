// Package strictjson reads JSON objects that others wrote, and refuses all that two readers could understand in two ways.
package strictjson
