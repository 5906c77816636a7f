package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// kubeletDelay is how long a kubelet with its default settings may take to write a file again: measured, 0 to 90 s.
const kubeletDelay = 90 * time.Second

// asker gets a path of the API server.
type asker func(ctx context.Context, path string) ([]byte, error)

func askWith(client rest.Interface) asker {
	return func(ctx context.Context, path string) ([]byte, error) { return client.Get().AbsPath(path).DoRaw(ctx) }
}

// askKubelets asks each kubelet, through the API server, how often it renews the files of its pods. One that cannot be asked is
// taken to have its default settings.
func (p *patient) askKubelets(ctx context.Context, ask asker) (slowest delay, unasked []string) {
	if len(p.nodes.Items) == 0 {
		return delay{time: kubeletDelay, of: "a kubelet with its default settings"}, nil
	}
	for i := range p.nodes.Items {
		name := p.nodes.Items[i].Name
		d := delay{time: kubeletDelay, of: "the kubelet of node " + name}
		b, err := ask(ctx, "/api/v1/nodes/"+name+"/proxy/configz")
		if err == nil {
			d.time, err = refreshOf(b)
		}
		if err != nil {
			unasked = append(unasked, fmt.Sprintf("node %s: %v: taken to have the default settings", name, err))
			d.time = kubeletDelay
		}
		if d.time > slowest.time {
			slowest = d
		}
	}
	return slowest, unasked
}

// delay is how late files can be, and whose doing that is.
type delay struct {
	time time.Duration
	of   string
}

// refreshOf reads how late a file can be out of what a kubelet answers at /configz (KubeletConfiguration, kubelet.config.k8s.io):
// a pod is synchronised after 1.0 to 1.5 syncFrequency, at its own phase.
func refreshOf(configz []byte) (time.Duration, error) {
	var answer struct {
		Config struct {
			SyncFrequency metav1.Duration `json:"syncFrequency"`
		} `json:"kubeletconfig"`
	}
	if err := json.Unmarshal(configz, &answer); err != nil {
		return 0, fmt.Errorf("its configuration cannot be read: %w", err)
	}
	if answer.Config.SyncFrequency.Duration <= 0 {
		return 0, fmt.Errorf("its configuration does not say syncFrequency")
	}
	return answer.Config.SyncFrequency.Duration * 3 / 2, nil
}
