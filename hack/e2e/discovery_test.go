package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// podMonitor is what the Prometheus operator reads of config/monitoring/monitors.yaml.
type podMonitor struct {
	Metadata struct{ Namespace string }
	Spec     struct {
		Selector            struct{ MatchLabels map[string]string }
		PodMetricsEndpoints []struct{ Port string }
	}
}

func monitor(t *testing.T) podMonitor {
	t.Helper()
	var m podMonitor
	monitoring(t, "monitors.yaml", &m)
	if len(m.Spec.Selector.MatchLabels) == 0 || len(m.Spec.PodMetricsEndpoints) == 0 {
		t.Fatalf("the PodMonitor selects nothing: %+v", m)
	}
	return m
}

// discovery tells a Prometheus which pods the PodMonitor selects, as the operator would have it find them: Debian's cannot ask an API server.
type discovery struct {
	*shell
	monitor podMonitor
	mu      sync.Mutex
	last    []target
}

type target struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

func (d *discovery) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if found, err := d.find(); err == nil {
		d.last = found // while the API server is away, the pods are where they were
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(d.last)
}

func (d *discovery) find() ([]target, error) {
	var selector []string
	for label, value := range d.monitor.Spec.Selector.MatchLabels {
		selector = append(selector, label+"="+value)
	}
	out, err := d.try("kubectl get pods -o json -n "+d.monitor.Metadata.Namespace+" -l "+strings.Join(selector, ",")+" 2>/dev/null", "")
	if err != nil {
		return nil, err
	}
	var pods struct {
		Items []struct {
			Metadata struct{ Name string }
			Status   struct{ PodIP string }
			Spec     struct {
				Containers []struct {
					Ports []struct {
						Name          string
						ContainerPort int
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &pods); err != nil {
		return nil, err
	}
	found := []target{}
	for _, pod := range pods.Items {
		for _, container := range pod.Spec.Containers {
			for _, port := range container.Ports {
				if pod.Status.PodIP != "" && d.monitors(port.Name) {
					found = append(found, target{
						[]string{fmt.Sprintf("%s:%d", pod.Status.PodIP, port.ContainerPort)}, map[string]string{"pod": pod.Metadata.Name},
					})
				}
			}
		}
	}
	return found, nil
}

func (d *discovery) monitors(port string) bool {
	return slices.ContainsFunc(d.monitor.Spec.PodMetricsEndpoints, func(e struct{ Port string }) bool { return e.Port == port })
}
