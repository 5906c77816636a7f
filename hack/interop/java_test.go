package interop

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/hack/interop/rotated"
)

const javaDriver = `
final class Main {
    public static void main(String[] arguments) throws Exception {
        var tokens = new Tokens();
        var in = new java.io.BufferedReader(new java.io.InputStreamReader(System.in));
        for (String token; (token = in.readLine()) != null; ) {
            try {
                System.out.println("ok " + tokens.verify(token).get("sub").asText());
            } catch (Exception e) {
                System.out.println("no " + String.valueOf(e.getMessage()).lines().findFirst().orElse(""));
            }
        }
    }
}
`

func TestJava(t *testing.T) {
	t.Parallel()
	const jars = "/usr/share/java/"
	java := runtime(t, "java", "openjdk-17-jdk-headless")
	path := []string{jars + "jackson-core.jar", jars + "jackson-databind.jar", jars + "jackson-annotations.jar"}
	if _, err := os.Stat(path[1]); err != nil {
		missing(t, "Jackson", "libjackson2-databind-java")
	}
	w := rotated.New(t, "ES256")
	program := example(t, "java", mounted, w.Volume.File(), "/var/run/keywright/jwks/main.revoked", w.Volume.Revoked())
	// A program in one file (JEP 330) runs its first class, and imports stand before it.
	imports, classes, _ := strings.Cut(program, "/** Verifies")
	directory := write(t, map[string]string{"Main.java": imports + javaDriver + "/** Verifies" + classes})
	process := start(t, directory, java, "--class-path", strings.Join(path, ":"), "Main.java")
	w.Tell(t, process, rotated.Promises{ChecksType: true, KeepsTheLastSet: true, EndsEarly: true, Reload: 2 * time.Second})
}
