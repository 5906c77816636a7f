// Command watch looks at a mounted file fifty times a second. GET /seen says when which key came and left. With -once it ends,
// well if the file is there.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
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
	var keys report.KeySet
	go func() {
		for ; ; time.Sleep(20 * time.Millisecond) {
			b, err := os.ReadFile(file)
			if err != nil {
				fmt.Fprintln(os.Stderr, "watch:", err)
				continue
			}
			keys.Look(b, time.Now())
		}
	}()
	http.HandleFunc("GET /seen", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(keys.Seen()) })
	server := &http.Server{Addr: ":8080", ReadHeaderTimeout: 5 * time.Second}
	fmt.Fprintln(os.Stderr, "watch:", server.ListenAndServe())
	os.Exit(1)
}
