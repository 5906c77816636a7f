package clients_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/verifier/verifiertest"
)

// withKeywright installs what config/default has, without a controller, and returns a client of the admin.
func (s *apiServer) withKeywright() client.Client {
	s.Helper()
	s.kubectl("apply", "-k", "../../config/default")
	return s.client(s.config)
}

func (s *apiServer) client(config *rest.Config) client.Client {
	s.Helper()
	scheme := runtime.NewScheme()
	must(s, errors.Join(clientgoscheme.AddToScheme(scheme), keywrightv1alpha1.AddToScheme(scheme)))
	c, err := client.New(config, client.Options{Scheme: scheme})
	must(s, err)
	return c
}

// kubeconfig is a file that makes its reader the admin.
func (s *apiServer) kubeconfig() string {
	s.Helper()
	file := filepath.Join(s.TempDir(), "kubeconfig")
	must(s, os.WriteFile(file, s.environment.KubeConfig, 0o600))
	return file
}

func (s *apiServer) kubectl(args ...string) {
	s.Helper()
	cmd := exec.CommandContext(s.Context(), filepath.Join(s.environment.BinaryAssetsDirectory, "kubectl"), append(args, "--kubeconfig", s.kubeconfig())...)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.Fatalf("kubectl %v: %v\n%s", args, err, out)
	}
}

// serviceAccount installs the sample of a button, and returns what a kubelet would mount of its ServiceAccount, and a client as it.
func (s *apiServer) serviceAccount() (directory string, as client.Client) {
	s.Helper()
	_, err := s.admin.CoreV1().Namespaces().Create(s.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}, metav1.CreateOptions{})
	must(s, err)
	s.kubectl("apply", "-f", "../../config/samples/logout-button.yaml")
	answer, err := s.admin.CoreV1().ServiceAccounts("shop").CreateToken(s.Context(), "shop", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	must(s, err)
	directory = s.TempDir()
	must(s, os.WriteFile(filepath.Join(directory, "token"), []byte(answer.Status.Token), 0o600))
	must(s, os.WriteFile(filepath.Join(directory, "ca.crt"), s.config.CAData, 0o600))
	config := rest.AnonymousClientConfig(s.config)
	config.BearerToken = answer.Status.Token
	return directory, s.client(config)
}

// backends are the examples of docs/examples/logout, as they stand there.
func backends(t *testing.T) map[string][]string {
	t.Helper()
	example, err := filepath.Abs("../../docs/examples/logout")
	must(t, err)
	binary := filepath.Join(t.TempDir(), "logout")
	if out, err := exec.CommandContext(t.Context(), "go", "-C", example, "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	all := map[string][]string{"Go": {binary}}
	needs(t, "node", "install Node 20 or newer")
	modules, err := filepath.Abs("node_modules")
	must(t, err)
	if _, err := os.Stat(filepath.Join(modules, "jose")); err != nil {
		if os.Getenv("REQUIRE_CLIENTS") != "" {
			t.Fatal("run `npm ci` in hack/clients")
		}
		t.Log("the npm packages are missing, and the example for Node is not tried: run `npm ci` in hack/clients")
		return all
	}
	directory := t.TempDir()
	must(t, os.Symlink(modules, filepath.Join(directory, "node_modules")))
	text, err := os.ReadFile(filepath.Join(example, "server.mjs"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(directory, "server.mjs"), text, 0o600))
	all["Node"] = []string{"node", filepath.Join(directory, "server.mjs")}
	return all
}

// The button "log out everywhere" ends the tokens of whoever presses it, with the rights of the sample, which allow no more.
func TestLogoutEverywhere(t *testing.T) {
	s := newAPIServer(t, "")
	admin := s.withKeywright()
	account, as := s.serviceAccount()
	a, k := newAuthority(t), newKeyring(t)
	r := startIssuer(t, a, k, options{})
	token := r.alice(a.client())
	files := verifiertest.Volume{Directory: t.TempDir()} // what a pod mounts
	mount := func(list issuerfiles.Revoked) {
		keys, err := os.ReadFile(k.Path("jwks.json"))
		must(t, err)
		must(t, files.Write(map[string][]byte{"main.json": keys, "main.revoked": list.Encode()}))
	}
	mount(issuerfiles.Revoked{ClockSkew: time.Minute})
	api, err := url.Parse(s.config.Host)
	must(t, err)
	host, port, err := net.SplitHostPort(api.Host)
	must(t, err)
	tryMore(t, as)
	buttons := map[string]func(authorization string) (status int){}
	for name, command := range backends(t) {
		address := freeAddress(t)
		cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
		cmd.Env = append(os.Environ(), "ISSUER="+r.url, "AUDIENCE="+audience, "JWKS="+files.Path("main.json"), "ADDRESS="+address,
			"SERVICE_ACCOUNT="+account, "KUBERNETES_SERVICE_HOST="+host, "KUBERNETES_SERVICE_PORT="+port)
		cmd.Stderr = os.Stderr
		must(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		until(t, name+" listening", 20*time.Second, func() bool {
			c, err := net.Dial("tcp", address)
			if err == nil {
				_ = c.Close()
			}
			return err == nil
		})
		press := func(authorization string) (status int) {
			return post(t, "http://"+address+"/logout-everywhere", authorization)
		}
		for what, bad := range map[string]string{"no token": "", "a forged token": "Bearer " + token[:len(token)-8] + "AAAAAAAA", "no JWT": "Bearer x"} {
			if status := press(bad); status != http.StatusUnauthorized {
				t.Errorf("%s, %s: %d", name, what, status)
			}
		}
		if left := revocations(t, admin); len(left) != 0 {
			t.Fatalf("%s: whoever is not logged in ends tokens: %+v", name, left)
		}
		if status := press("Bearer " + token); status != http.StatusNoContent {
			t.Fatalf("%s: %d", name, status)
		}
		made := revocations(t, admin)
		if len(made) != 1 {
			t.Fatalf("%s: %+v", name, made)
		}
		spec := made[0].Spec
		list := issuerfiles.Revoked{Ended: map[string]time.Time{issuerfiles.Digest("sub", spec.Subject): spec.IssuedBefore.Time}, ClockSkew: time.Minute}
		if spec.SigningKey != "main" || spec.Subject != "1" || spec.TTLAfterExpiry == nil || !list.Ends(time.Now().Add(-time.Second), map[string]string{"sub": "1"}) ||
			spec.IssuedBefore.After(time.Now()) {
			t.Errorf("%s: %+v", name, spec)
		}
		must(t, admin.Delete(t.Context(), &made[0]))
		buttons[name] = press
	}
	// Without the right, the caller is told that nothing happened.
	must(t, admin.Delete(t.Context(), &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "main-logout-button"}}))
	until(t, "without the right", 20*time.Second, func() bool {
		return apierrors.IsForbidden(as.Create(t.Context(), ended(keywrightv1alpha1.RevocationSpec{TokenID: "a"}), client.DryRunAll))
	})
	for name, press := range buttons {
		if status := press("Bearer " + token); status != http.StatusServiceUnavailable {
			t.Errorf("%s, without the right: %d", name, status)
		}
	}
	// A token that was ended presses no button, and others do.
	mount(issuerfiles.Revoked{ClockSkew: time.Minute, Ended: map[string]time.Time{issuerfiles.Digest("sub", "1"): time.Now()}})
	for name, press := range buttons {
		until(t, name+" refusing", 20*time.Second, func() bool { return press("Bearer "+token) == http.StatusUnauthorized })
	}
	mount(issuerfiles.Revoked{ClockSkew: time.Minute, Ended: map[string]time.Time{issuerfiles.Digest("sub", "1"): time.Now().Add(-time.Hour)}})
	for name, press := range buttons {
		until(t, name+" accepting", 20*time.Second, func() bool { return press("Bearer "+token) == http.StatusServiceUnavailable })
	}
}

// ended makes a Revocation.
func ended(spec keywrightv1alpha1.RevocationSpec) *keywrightv1alpha1.Revocation {
	r := &keywrightv1alpha1.Revocation{Spec: spec}
	r.GenerateName = "main-"
	if r.Spec.SigningKey == "" {
		r.Spec.SigningKey = "main"
	}
	return r
}

func revocations(t *testing.T, admin client.Client) []keywrightv1alpha1.Revocation {
	t.Helper()
	var list keywrightv1alpha1.RevocationList
	must(t, admin.List(t.Context(), &list))
	return list.Items
}

func post(t *testing.T, url, authorization string) (status int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
	must(t, err)
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	must(t, response.Body.Close())
	return response.StatusCode
}

// tryMore tries what an attacker would who has the ServiceAccount of the button.
func tryMore(t *testing.T, as client.Client) {
	t.Helper()
	now := &metav1.Time{Time: time.Now()}
	for _, spec := range []keywrightv1alpha1.RevocationSpec{
		{SigningKey: "other", Subject: "1", IssuedBefore: now}, {ClientID: "web", IssuedBefore: now}, {Everything: true, IssuedBefore: now}, {KeyID: strings.Repeat("A", 43)},
	} {
		until(t, fmt.Sprintf("refused: %+v", spec), 20*time.Second, func() bool { // the policy comes into force a moment after it is made
			err := as.Create(t.Context(), ended(spec), client.DryRunAll)
			return err != nil && strings.Contains(err.Error(), "ValidatingAdmissionPolicy 'keywright-revocations'")
		})
	}
	for what, err := range map[string]error{
		"see who logged out": as.List(t.Context(), &keywrightv1alpha1.RevocationList{}),
		"take it back":       as.DeleteAllOf(t.Context(), &keywrightv1alpha1.Revocation{}),
		"see the keys":       as.List(t.Context(), &keywrightv1alpha1.SigningKeyList{}),
		"read Secrets":       as.List(t.Context(), &corev1.SecretList{}),
		"change the SigningKey": as.Patch(t.Context(), &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: "main"}},
			client.RawPatch("application/merge-patch+json", []byte(`{}`))),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("the button may %s: %v", what, err)
		}
	}
}
