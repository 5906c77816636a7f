package e2e

import (
	"fmt"
	"testing"
	"time"
)

func (s *story) rotateTen(t *testing.T) {
	began := time.Now()
	for range 10 {
		s.rotate(t)
	}
	s.cameToEveryFile(t, began)
}

// cameToEveryFile shows how long the keys that were published since some time took to each file.
func (s *story) cameToEveryFile(t *testing.T, since time.Time) {
	t.Helper()
	delays := s.publications.delays(seen(t, s.shell), "+", since)
	if len(delays) == 0 {
		t.Fatal("no key came to a file")
	}
	t.Logf("from the publication of a key to the file in a pod, %s", histogram(delays))
}

// rotate asks for a rotation and waits until the next key signs.
func (s *story) rotate(t *testing.T) {
	t.Helper()
	before := s.key(t).Status.ActiveKeyID
	s.run(t, "kubectl keywright rotate main")
	if after := s.key(t).Status.ActiveKeyID; after == before {
		t.Fatalf("%s still signs", after)
	}
}

// watchers is how many pods say when their file changed.
const watchers = 8

// slow is the propagation delay for kubelets as they are by default, and a service that looks once a second.
const slow = 95 * time.Second

// rotateByDefaults has a new key reach pods whose kubelets look at files every 60 to 90 s. While it does, nobody can ask the API server.
func (s *story) rotateByDefaults(t *testing.T) {
	s.standbyOlderThan(t, 9*time.Second) // it is in all files
	if s.node.ours() {
		s.node.run(t, "sync", "0")
		s.run(t, "kubectl wait --for=condition=Ready node --all --timeout=1m")
		<-time.After(15 * time.Second) // a kubelet that has just started looks at all files at once
	}
	if s.node.ours() {
		s.doctor(t, "the kubelet of node") // it knows what these kubelets are set to
	}
	began := time.Now()
	s.rotate(t) // at once: the next Standby is published to kubelets that take their time
	s.run(t, fmt.Sprintf(`kubectl patch signingkey main --type merge -p '{"spec":{"distribution":{"propagationDelay":"%s"}}}'`, slow))
	s.doctor(t, "")
	s.run(t, "kubectl keywright rotate main --no-wait")
	before := s.key(t).Status.ActiveKeyID
	s.withoutAPIServer(t)
	back := time.Now()
	s.until(t, "the next key signs", func() bool { return s.key(t).Status.ActiveKeyID != before })
	t.Logf("the next key signed %.1f s after it was published, and %.1f s after the API server came back", time.Since(began).Seconds(), time.Since(back).Seconds())
	s.cameToEveryFile(t, began)
	if s.node.ours() {
		s.until(t, "Kubernetes hears of changes again", func() bool { return time.Since(back) > deafAfterOutage })
	}
}

// deafAfterOutage is how long kubelets, kube-proxy and the controller manager may not hear of changes after the API server was away: informers of
// client-go try again after a pause of up to a minute. Until then, Services send requests to pods that died.
const deafAfterOutage = 75 * time.Second

// standbyOlderThan waits until the Standby has been published for some time.
func (s *story) standbyOlderThan(t *testing.T, age time.Duration) {
	t.Helper()
	s.until(t, "the Standby has been published for "+age.String(), func() bool {
		for _, k := range s.key(t).Status.Keys {
			if k.State == "Standby" && k.PublishedAt != nil && time.Since(k.PublishedAt.Time) > age {
				return true
			}
		}
		return false
	})
}

// revoke takes a key away that live tokens were signed with. Kubelets would look at their files for a minute yet: the nudge hurries them.
func (s *story) revoke(t *testing.T) {
	// A key that is activated young may be unknown for a while: that is documented, and no promise. So the Standby is hurried to the pods
	// before, as an operator would hurry anything, and given time to be read.
	s.run(t, "kubectl annotate pods --all -n shop example.com/hurried=yes && kubectl annotate pods --all -n orders example.com/hurried=yes")
	hurried := time.Now()
	s.until(t, "the services have read the Standby", func() bool { return time.Since(hurried) > 5*time.Second })
	revoked := s.key(t).Status.ActiveKeyID
	s.run(t, "kubectl create --raw '/api/v1/namespaces/clients/pods/'$(kubectl get pods -n clients -l app=load -o name | cut -d/ -f2)':8080/proxy/revoke?kid="+
		revoked+"' -f /dev/null")
	began := time.Now()
	t.Logf("%s", s.run(t, "kubectl keywright revoke main "+revoked+" --yes"))
	t.Logf("the receipt was complete after %.1f s", time.Since(began).Seconds())
	s.until(t, "the key has left the file of each pod", func() bool {
		return len(s.publications.delays(seen(t, s.shell), "-"+revoked, began)) == watchers
	})
	t.Logf("from the publication without the key to the file in a pod, %s", histogram(s.publications.delays(seen(t, s.shell), "-"+revoked, began)))
	if r := reported(t, s.shell); r.RevokedRejected == 0 {
		t.Errorf("no token of the revoked key was shown to a service: %+v", r.Tally)
	}
}
