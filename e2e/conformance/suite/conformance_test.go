// Package suite compiles the Gateway API's own conformance suite, unchanged, into a test binary.
// Which profiles and features it tests, its flags say: see ../run.ts.
package suite

import (
	"testing"

	"sigs.k8s.io/gateway-api/conformance"
)

func TestConformance(t *testing.T) {
	conformance.RunConformance(t)
}
