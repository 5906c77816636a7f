package interop

import (
	"os/exec"
	"testing"
	"time"

	"github.com/keywright/keywright/hack/interop/rotated"
)

const rubyDriver = `
require_relative "example"
require_relative "ended"
$stdout.sync = true
while (token = $stdin.gets)
  begin
    claims = verify(token.chomp)
    check_ended(claims)
    puts "ok #{claims["sub"]}"
  rescue JWT::DecodeError => e
    puts "no #{e.message}"
  rescue StandardError => e
    puts "broken #{e.class}"
  end
end
`

func TestRuby(t *testing.T) {
	ruby := runtime(t, "ruby", "ruby and ruby-jwt")
	if err := exec.Command(ruby, "-e", "require 'jwt'").Run(); err != nil {
		missing(t, "Ruby's jwt", "ruby-jwt")
	}
	w := rotated.New(t, "ES256")
	directory := write(t, map[string]string{"example.rb": example(t, "ruby-jwt", mounted, w.Volume.File()), "main.rb": rubyDriver, "ended.rb": ended(t, w, "ruby-ended")})
	w.Tell(t, start(t, directory, ruby, "main.rb"), rotated.Promises{ChecksType: true, KeepsTheLastSet: true, EndsEarly: true, Reload: time.Second})
}
