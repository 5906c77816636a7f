package chart

import (
	_ "sigs.k8s.io/gateway-api/apis/v1" // its module has the CRDs
)
