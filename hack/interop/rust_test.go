package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/keywright/keywright/hack/interop/rotated"
)

const rustDriver = `mod tokens;

use std::io::{stdin, BufRead};

fn main() {
    let verifier = tokens::Verifier::start().unwrap();
    for token in stdin().lock().lines() {
        match verifier.verify(&token.unwrap()) {
            Ok(claims) => println!("ok {}", claims.sub),
            Err(e) => println!("no {}", e.to_string().lines().next().unwrap_or("")),
        }
    }
}
`

// debianCrates has cargo take what Debian's packages bring, and nothing from the network.
const debianCrates = `[source.crates-io]
replace-with = "debian"
[source.debian]
directory = "/usr/share/cargo/registry"
[net]
offline = true
`

func TestRust(t *testing.T) {
	t.Parallel()
	cargo := runtime(t, "cargo", "cargo")
	if found, err := filepath.Glob("/usr/share/cargo/registry/jsonwebtoken-8*"); err != nil || len(found) == 0 {
		missing(t, "Rust's jsonwebtoken", "librust-jsonwebtoken-dev")
	}
	w := rotated.New(t, "ES256")
	program := example(t, "rust", mounted, w.Volume.File(), "/var/run/keywright/jwks/main.revoked", w.Volume.Revoked())
	directory := write(t, map[string]string{"Cargo.toml": example(t, "rust-cargo")})
	for _, folder := range []string{"src", ".cargo"} {
		check(t, os.Mkdir(filepath.Join(directory, folder), 0o700))
	}
	for name, text := range map[string]string{"src/main.rs": rustDriver, "src/tokens.rs": program, ".cargo/config.toml": debianCrates} {
		check(t, os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600))
	}
	build := exec.Command(cargo, "build", "--quiet", "--offline")
	build.Dir = directory
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cargo build: %v\n%s", err, out)
	}
	process := start(t, directory, filepath.Join(directory, "target", "debug", "orders"))
	w.Tell(t, process, rotated.Promises{ChecksType: true, KeepsTheLastSet: true, EndsEarly: true, Reload: 2 * time.Second})
}
