package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// kubeletDelay is how long a kubelet with default settings may take to renew a file: measured, 0 to 90 s.
const kubeletDelay = 90 * time.Second

// getter gets a path of the API server.
type getter func(ctx context.Context, path string) ([]byte, error)

// answersWithin is how long a kubelet or an issuer may take to answer. Without a limit, each unreachable node would take 30 s or more.
const answersWithin = 5 * time.Second

// atOnce is how many are asked at once.
const atOnce = 16

func newGetter(client rest.Interface) getter {
	return func(ctx context.Context, path string) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, answersWithin)
		defer cancel()
		return client.Get().AbsPath(path).DoRaw(ctx)
	}
}

// each calls f for the indexes below n, at most 16 at once.
func each(n int, f func(i int)) {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i := range n {
		group.Go(func() error {
			f(i)
			return nil
		})
	}
	_ = group.Wait() // f returns no error
}

// checkKubelets reads from each kubelet, through the API server, how often it renews the files of its pods. A kubelet that does not answer
// is assumed to have the default settings.
func (s *snapshot) checkKubelets(ctx context.Context, get getter) (slowest delay, unchecked []string) {
	if len(s.nodes.Items) == 0 {
		return delay{time: kubeletDelay, of: "a kubelet with its default settings"}, nil
	}
	times, errs := make([]time.Duration, len(s.nodes.Items)), make([]error, len(s.nodes.Items))
	each(len(times), func(i int) {
		b, err := get(ctx, "/api/v1/nodes/"+s.nodes.Items[i].Name+"/proxy/configz")
		if err == nil {
			times[i], err = parseSyncDelay(b)
		}
		errs[i] = err
	})
	for i := range s.nodes.Items {
		name := s.nodes.Items[i].Name
		d := delay{time: times[i], of: "the kubelet of node " + name}
		if errs[i] != nil {
			unchecked = append(unchecked, fmt.Sprintf("node %s: %v: assuming the default settings", name, errs[i]))
			d.time = kubeletDelay
		}
		if d.time > slowest.time {
			slowest = d
		}
	}
	return slowest, unchecked
}

// delay is how late files can be, and the cause.
type delay struct {
	time time.Duration
	of   string
}

// parseSyncDelay returns how late a file can be, from the response of a kubelet at /configz (KubeletConfiguration,
// kubelet.config.k8s.io): a pod is synchronized after 1.0 to 1.5 syncFrequency, at its own phase.
func parseSyncDelay(configz []byte) (time.Duration, error) {
	var answer struct {
		Config struct {
			SyncFrequency metav1.Duration `json:"syncFrequency"`
		} `json:"kubeletconfig"`
	}
	if err := json.Unmarshal(configz, &answer); err != nil {
		return 0, fmt.Errorf("its configuration cannot be read: %w", err)
	}
	if answer.Config.SyncFrequency.Duration <= 0 {
		return 0, fmt.Errorf("its configuration has no syncFrequency")
	}
	return answer.Config.SyncFrequency.Duration * 3 / 2, nil
}
