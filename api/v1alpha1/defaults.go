package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Default fills in what the API server would: for programs that read a SigningKey without one.
func (s *SigningKeySpec) Default() {
	orElse(&s.Algorithm, ES256)
	orElse(&s.DeletionPolicy, Retain)
	orElse(&s.Rotation.Mode, Automatic)
	orElse(&s.Rotation.Interval, metav1.Duration{Duration: 720 * time.Hour})
	orElse(&s.Rotation.WaitForTargets, metav1.Duration{Duration: 24 * time.Hour})
	orElse(&s.Token.MaxLifetime, metav1.Duration{Duration: time.Hour})
	orElse(&s.Token.ClockSkew, metav1.Duration{Duration: time.Minute})
	orElse(&s.Distribution.PropagationDelay, metav1.Duration{Duration: 15 * time.Minute})
	if s.Sessions != nil {
		orElse(&s.Sessions.MaxRefreshLifetime, metav1.Duration{Duration: 12 * time.Hour})
		orElse(&s.Sessions.MaxSessionLifetime, metav1.Duration{Duration: 720 * time.Hour})
	}
}

func orElse[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
