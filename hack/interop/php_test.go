package interop

import (
	"testing"
	"time"

	"github.com/keywright/keywright/hack/interop/rotated"
)

const phpDriver = `<?php
require 'example.php';
require 'ended.php';
while (($token = fgets(STDIN)) !== false) {
    try {
        $claims = verify(rtrim($token, "\n"));
        checkEnded($claims);
        echo 'ok ', $claims['sub'], "\n";
    } catch (Exception $error) {
        echo 'no ', strtok($error->getMessage(), "\n"), "\n";
    } catch (Throwable $error) {
        echo 'broken ', strtok($error->getMessage(), "\n"), "\n";
    }
}
`

func TestPHP(t *testing.T) {
	php := runtime(t, "php", "php-cli")
	w := rotated.New(t, "ES256")
	directory := write(t, map[string]string{"example.php": example(t, "php", mounted, w.Volume.File()), "main.php": phpDriver, "ended.php": ended(t, w, "php-ended")})
	w.Tell(t, start(t, directory, php, "main.php"), rotated.Promises{ChecksType: true, KeepsTheLastSet: true, EndsEarly: true, Reload: time.Second})
}
