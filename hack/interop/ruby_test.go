package interop

import (
	"os/exec"
	"testing"
	"time"

	"github.com/keywright/keywright/hack/interop/rotated"
)

const rubyDriver = `
require_relative "example"
$stdout.sync = true
while (token = $stdin.gets)
  begin
    puts "ok #{verify(token.chomp)["sub"]}"
  rescue StandardError => e
    puts "no #{e.message}"
  end
end
`

func TestRuby(t *testing.T) {
	ruby := runtime(t, "ruby", "ruby and ruby-jwt")
	if err := exec.Command(ruby, "-e", "require 'jwt'").Run(); err != nil {
		missing(t, "Ruby's jwt", "ruby-jwt")
	}
	w := rotated.New(t, "ES256")
	directory := write(t, map[string]string{"example.rb": example(t, "ruby-jwt", mounted, w.Volume.File()), "main.rb": rubyDriver})
	w.Tell(t, start(t, directory, ruby, "main.rb"), rotated.Promises{ChecksType: true, KeepsTheLastSet: true, Reload: time.Second})
}
