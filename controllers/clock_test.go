package controllers

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// listed returns SigningKeys with these clock skews for a List.
type listed struct {
	client.Reader
	skews []time.Duration
}

func (l listed) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	list, ok := into.(*keywrightv1alpha1.SigningKeyList)
	if !ok || l.skews == nil {
		return errors.New("no cache")
	}
	for _, skew := range l.skews {
		var key keywrightv1alpha1.SigningKey
		key.Spec.Token.ClockSkew = metav1.Duration{Duration: skew}
		list.Items = append(list.Items, key)
	}
	return nil
}

func TestClockStepStopsTheProcess(t *testing.T) {
	for name, c := range map[string]struct {
		step  time.Duration
		skews []time.Duration
		ends  bool
	}{
		"no step":                         {0, []time.Duration{time.Minute}, false},
		"within the skew":                 {50 * time.Second, []time.Duration{time.Minute, time.Hour}, false},
		"within the skew, backwards":      {-50 * time.Second, []time.Duration{time.Minute}, false},
		"five minutes ahead":              {5 * time.Minute, []time.Duration{time.Hour, time.Minute}, true},
		"five minutes back":               {-5 * time.Minute, []time.Duration{time.Minute}, true},
		"without a SigningKey":            {5 * time.Minute, []time.Duration{}, true},
		"while SigningKeys are not known": {30 * time.Second, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var stepped time.Duration
				w := &clockWatch{
					keys: listed{skews: c.skews}, now: func() time.Time { return time.Now().Add(stepped) },
					elapsed: func() time.Duration { return time.Since(start) },
				}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- w.Start(ctx) }()
				time.AfterFunc(10*time.Second, func() { stepped = c.step })
				time.AfterFunc(time.Minute, cancel)
				err := <-ended
				if (err != nil) != c.ends {
					t.Fatalf("ended with %v", err)
				}
				if err != nil && !strings.Contains(err.Error(), "the clock stepped by "+c.step.String()) {
					t.Error(err)
				}
			})
		})
	}
}
