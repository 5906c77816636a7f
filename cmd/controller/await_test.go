package main

import (
	"context"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

// A controller that starts during an outage of the API server waits and does not exit, since its kubelet would restart
// it with growing delays.
func TestStartsWithoutAnAPIServer(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	config, err := clientcmd.LoadFromFile(s.on.file("kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	away := freeAddress(t)
	var there string
	for _, c := range config.Clusters {
		u, err := url.Parse(c.Server)
		if err != nil {
			t.Fatal(err)
		}
		there, c.Server = u.Host, "https://"+away
	}
	kubeconfig := t.TempDir() + "/kubeconfig"
	if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
		t.Fatal(err)
	}
	controller := s.on.runWith(t, kubeconfig)
	until(t, "it logs that it waits", 10*time.Second, func(context.Context) bool {
		return strings.Contains(controller.said(), "The API server does not respond")
	})
	s.signingKey()
	relay(t, away, there)
	until(t, "it has made a key", 20*time.Second, func(context.Context) bool { return controller.ready() && s.signs() != "" })
}

// relay forwards connections to another address.
func relay(t *testing.T, from, to string) {
	t.Helper()
	listener, err := net.Listen("tcp", from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
			go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
		}
	}()
}
