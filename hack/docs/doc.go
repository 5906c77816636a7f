// Package docs tests the documentation: that its commands work, that its links lead somewhere, and that readers can find every page.
//
// A block of `sh` is for typing, and says in a comment above it, which readers do not see, who runs it:
//
//	<!-- run: checkout -->     this package, in the checkout, with bin/ in the PATH
//	<!-- run: ci -->           .ci/run or a target of the Makefile, which this package looks for
//	<!-- run: chart -->        hack/chart, on a real API server
//	<!-- run: e2e -->          hack/e2e, on a real node: `make e2e-pages`
//	<!-- run: health -->       hack/health, the script for Argo CD
//	<!-- not run: reason -->   nobody, and why
//
// A block of no language is output.
package docs
