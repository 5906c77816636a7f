// Package plugintest runs commands of the plugin in tests, against a real API server with a running controller.
package plugintest
