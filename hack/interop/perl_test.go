package interop

import (
	"os/exec"
	"testing"
	"time"

	"github.com/keywright/keywright/hack/interop/rotated"
)

const perlDriver = `use strict;
use warnings;
use lib '.';
use Tokens;
$| = 1;
while (my $token = <STDIN>) {
    chomp $token;
    my $claims = eval { Tokens::verify($token) };
    my ($reason) = split /\n/, $@ || "\n";
    print $claims ? "ok $claims->{sub}\n" : "no $reason\n";
}
`

func TestPerl(t *testing.T) {
	t.Parallel()
	perl := runtime(t, "perl", "perl and libcrypt-jwt-perl")
	if err := exec.Command(perl, "-MCrypt::JWT", "-e", "1").Run(); err != nil {
		missing(t, "Perl's Crypt::JWT", "libcrypt-jwt-perl")
	}
	w := rotated.New(t, "ES256")
	program := example(t, "perl", mounted, w.Volume.File(), "/var/run/keywright/jwks/main.revoked", w.Volume.Revoked())
	directory := write(t, map[string]string{"Tokens.pm": program, "main.pl": perlDriver})
	w.Tell(t, start(t, directory, perl, "main.pl"), rotated.Promises{ChecksType: true, KeepsTheLastSet: true, EndsEarly: true, Reload: time.Second})
}
