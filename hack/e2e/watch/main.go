// Command watch looks at a mounted file fifty times a second. GET /seen says when each content was first seen. With -once it ends,
// well if the file is there.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/keywright/keywright/hack/e2e/report"
)

func main() {
	once := flag.Bool("once", false, "look once")
	flag.Parse()
	file := flag.Arg(0)
	if _, err := os.ReadFile(file); err != nil {
		fmt.Fprintln(os.Stderr, "watch:", err)
		os.Exit(1)
	}
	if *once {
		return
	}
	var mu sync.Mutex
	seen := report.Seen{}
	go func() {
		for ; ; time.Sleep(20 * time.Millisecond) {
			b, err := os.ReadFile(file)
			if err != nil {
				fmt.Fprintln(os.Stderr, "watch:", err)
				continue
			}
			sum := sha256.Sum256(b)
			mu.Lock()
			if name := hex.EncodeToString(sum[:]); seen[name] == 0 {
				seen[name] = time.Now().UnixMilli()
			}
			mu.Unlock()
		}
	}()
	http.HandleFunc("GET /seen", func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		now := maps.Clone(seen)
		mu.Unlock()
		_ = json.NewEncoder(w).Encode(now)
	})
	server := &http.Server{Addr: ":8080", ReadHeaderTimeout: 5 * time.Second}
	fmt.Fprintln(os.Stderr, "watch:", server.ListenAndServe())
	os.Exit(1)
}
