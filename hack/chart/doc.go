// Package chart tests the Helm chart: with Helm 3 and Helm 4, on a real API server.
package chart
