package status

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
)

func TestStatus(t *testing.T) {
	key := plugintest.CreateSigningKey(t, "status")
	out, _, err := plugintest.Run(t, "", "status", "status")
	if err != nil {
		t.Fatal(err)
	}
	for _, said := range []string{
		"SigningKey status, ES256, rotates every 60m. 2/2 namespaces", "ok  Ready", "ok  Distributed", "ok  RotationOnTime",
		"next rotation in ", key.Status.ActiveKeyID + "  Active", "  Standby", "AAAA", "....", "time line from",
	} {
		if !strings.Contains(out, said) {
			t.Errorf("it does not say %q:\n%s", said, out)
		}
	}
	all, _, err := plugintest.Run(t, "", "status")
	if err != nil || !strings.Contains(all, "SigningKey status") {
		t.Errorf("%v\n%s", err, all)
	}
	for _, format := range []string{"json", "yaml"} {
		out, _, err := plugintest.Run(t, "", "status", "status", "-o", format)
		var one keywrightv1alpha1.SigningKey
		if err != nil || yaml.UnmarshalStrict([]byte(out), &one) != nil || one.Kind != "SigningKey" || one.APIVersion != "keywright.dev/v1alpha1" || one.Name != "status" {
			t.Errorf("-o %s: %v\n%s", format, err, out)
		}
		out, _, err = plugintest.Run(t, "", "status", "-o", format)
		var list keywrightv1alpha1.SigningKeyList
		if err != nil || yaml.UnmarshalStrict([]byte(out), &list) != nil || list.Kind != "SigningKeyList" || len(list.Items) == 0 || list.Items[0].Kind != "SigningKey" {
			t.Errorf("-o %s of all: %v\n%s", format, err, out)
		}
	}
}

// Each phase is visible, even an hour in a month.
func TestTimeLine(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	at := func(after time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(after)} }
	const day = 24 * time.Hour
	c := &command{&cli.Env{Now: func() time.Time { return now }}}
	status := keywrightv1alpha1.SigningKeyStatus{NextRotationTime: at(20 * day), Keys: []keywrightv1alpha1.KeyStatus{
		{PreparedAt: at(-40 * day), ActivatedAt: at(-40*day + time.Minute), RetiredAt: at(-time.Hour), RemovalTime: at(time.Hour)},
		{PreparedAt: at(-40*day + time.Minute), ActivatedAt: at(-time.Hour)},
		{PreparedAt: at(-30 * time.Minute)},
	}}
	line := c.timeLine(&status)
	var drawn []string
	for i := range status.Keys {
		drawn = append(drawn, line.of(&status.Keys[i]))
	}
	want := []string{
		"..AAAAAAAAAAAAAAAAAAAArrrr|rr",
		"  ....................AAAA|AAAAAAAAAAAAA",
		"                        ..|.............",
	}
	if diff := cmp.Diff(want, drawn); diff != "" {
		t.Error(diff)
	}
	if legend := line.legend(); !strings.Contains(legend, "from 40d ago to 20d ahead, not to scale") {
		t.Error(legend)
	}
}
