package clients_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/keywright/keywright/controllers/controlplanetest"
	"github.com/keywright/keywright/verifier"
)

// apiServer is a real kube-apiserver that accepts tokens of an issuer.
type apiServer struct {
	*testing.T
	environment *envtest.Environment
	config      *rest.Config
	admin       *kubernetes.Clientset
	// authentication is the file of its AuthenticationConfiguration, if it has one.
	authentication string
}

func newAPIServer(t *testing.T, authentication string) *apiServer {
	t.Helper()
	s := &apiServer{T: t, environment: &envtest.Environment{
		BinaryAssetsDirectory: controlplanetest.Directory(t), AttachControlPlaneOutput: os.Getenv("DEBUG_CONTROL_PLANE") != "",
	}}
	if authentication != "" {
		s.authentication = filepath.Join(t.TempDir(), "authentication.yaml")
		must(t, os.WriteFile(s.authentication, []byte(authentication), 0o600))
		s.environment.ControlPlane.GetAPIServer().Configure().Set("authentication-config", s.authentication)
	}
	config, err := s.environment.Start()
	must(t, err)
	t.Cleanup(func() { must(t, s.environment.Stop()) })
	s.config = config
	s.admin, err = kubernetes.NewForConfig(config)
	must(t, err)
	return s
}

// whoAmI asks the API server who a token is of.
func (s *apiServer) whoAmI(token string) (*authenticationv1.UserInfo, error) {
	s.Helper()
	c := rest.AnonymousClientConfig(s.config)
	c.BearerToken = token
	as, err := kubernetes.NewForConfig(c)
	must(s, err)
	review, err := as.AuthenticationV1().SelfSubjectReviews().Create(s.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	return &review.Status.UserInfo, nil
}

// ask posts a form to the token endpoint.
func (r *replica) ask(client *http.Client, pairs ...string) (status int, answer string) {
	r.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	response, err := client.PostForm(r.url+"/token", form)
	must(r, err)
	defer func() { _ = response.Body.Close() }()
	b, err := io.ReadAll(response.Body)
	must(r, err)
	return response.StatusCode, string(b)
}

func (r *replica) token(client *http.Client, pairs ...string) string {
	r.Helper()
	status, answer := r.ask(client, pairs...)
	if status != http.StatusOK {
		r.Fatalf("%d %s\n%s", status, answer, r.log())
	}
	_, rest, _ := strings.Cut(answer, `"access_token":"`)
	token, _, _ := strings.Cut(rest, `"`)
	return token
}

func (r *replica) alice(client *http.Client) string {
	r.Helper()
	return r.token(client, "grant_type", "password", "client_id", "web", "username", "alice", "password", password)
}

// The API server accepts tokens of the issuer, through a rotation. It learns of a key when a token names it, and refuses what
// it has not published.
func TestAPIServerAcceptsTokens(t *testing.T) {
	a, k := newAuthority(t), newKeyring(t)
	r := startIssuer(t, a, k, options{})
	ca, err := os.ReadFile(a.crt())
	must(t, err)
	s := newAPIServer(t, authenticationConfiguration(r.url, string(ca)))
	accepted := func(token string) bool {
		user, err := s.whoAmI(token)
		if err != nil && !apierrors.IsUnauthorized(err) {
			t.Fatal(err)
		}
		return err == nil && user.Username == "keywright:1" && strings.Contains(fmt.Sprint(user.Groups), "keywright:staff")
	}
	first := r.alice(a.client())
	until(t, "accepted", time.Minute, func() bool { return accepted(first) }) // it reads the keys in the background, with a back-off
	k.prepare(t)
	k.activate(t)
	until(t, "signed with the new key", 20*time.Second, func() bool { return !sameKey(first, r.alice(a.client())) })
	second := r.alice(a.client())
	// The API server keeps what it has read for the max-age of /jwks: hence a key is published for longer before it signs.
	until(t, "the new key accepted", time.Minute, func() bool { return accepted(second) })
	if !accepted(first) {
		t.Error("a token of the retired key is refused while it is still published")
	}
	parts := strings.Split(second, ".")
	if accepted(parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2]))) {
		t.Error("a forged token is accepted")
	}
	if accepted(r.token(a.client(), "grant_type", "client_credentials", "client_id", "batch", "client_secret", secret)) {
		t.Error("a client's own token has the name of a user")
	}
}

func sameKey(a, b string) bool { return strings.Split(a, ".")[0] == strings.Split(b, ".")[0] }

// authenticationConfiguration is the example of the documentation, for an issuer and with its CA.
func authenticationConfiguration(issuer, ca string) string {
	b, err := os.ReadFile("../../docs/apiserver.md")
	if err != nil {
		panic(err)
	}
	_, rest, _ := strings.Cut(string(b), "```yaml\n")
	example, _, _ := strings.Cut(rest, "```")
	indented := strings.ReplaceAll(strings.TrimSpace(ca), "\n", "\n      ")
	example = strings.Replace(example, "https://issuer.example.com", issuer, 1)
	before, after, _ := strings.Cut(example, "      -----BEGIN CERTIFICATE-----")
	_, after, _ = strings.Cut(after, "-----END CERTIFICATE-----\n")
	return before + "      " + indented + "\n" + after
}

// A pod trades its service account token, which the API server made, for one of ours.
func TestPodsExchangeTheirTokens(t *testing.T) {
	s := newAPIServer(t, "")
	a, k := newAuthority(t), newKeyring(t)
	ctx := t.Context()
	directory := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(directory, name)
		must(t, os.WriteFile(path, b, 0o600))
		return path
	}
	for _, name := range []string{"keywright-issuer", "cart"} {
		_, err := s.admin.CoreV1().ServiceAccounts("default").Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		must(t, err)
	}
	request := func(account string, audiences ...string) string {
		seconds := int64(600)
		answer, err := s.admin.CoreV1().ServiceAccounts("default").CreateToken(ctx, account, &authenticationv1.TokenRequest{
			Spec: authenticationv1.TokenRequestSpec{Audiences: audiences, ExpirationSeconds: &seconds},
		}, metav1.CreateOptions{})
		must(t, err)
		return answer.Status.Token
	}
	metadata, err := s.admin.RESTClient().Get().AbsPath("/.well-known/openid-configuration").DoRaw(ctx)
	must(t, err)
	_, rest, _ := strings.Cut(string(metadata), `"issuer":"`)
	cluster, _, _ := strings.Cut(rest, `"`)
	const issuer = "https://issuer.example.com"
	r := startIssuer(t, a, k, options{issuer: issuer, clients: `- id: pods
  public: true
  grantTypes: ["urn:ietf:params:oauth:grant-type:token-exchange"]
  subjectIssuers: [cluster]`, rest: fmt.Sprintf(`tokenExchange:
- name: cluster
  issuer: %s
  keys: {url: %s/openid/v1/jwks, caFile: %s, tokenFile: %s}
  allow: claims["kubernetes.io"].namespace == "default"
  subject: claims.sub
  claims: {namespace: 'claims["kubernetes.io"].namespace'}`, cluster, strings.TrimSuffix(s.config.Host, "/"), write("ca.crt", s.config.CAData),
		write("token", []byte(request("keywright-issuer"))))})
	exchange := func(token string) (int, string) {
		return r.ask(a.client(), "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", "client_id", "pods",
			"subject_token", token, "subject_token_type", "urn:ietf:params:oauth:token-type:jwt")
	}
	status, answer := exchange(request("cart", issuer))
	if status != http.StatusOK {
		t.Fatalf("%d %s\n%s", status, answer, r.log())
	}
	_, rest, _ = strings.Cut(answer, `"access_token":"`)
	ours, _, _ := strings.Cut(rest, `"`)
	v, err := verifier.New(verifier.Config{Issuers: map[string]verifier.Source{issuer: verifier.File(filepath.Join(k.Directory, "jwks.json"))}, Audience: audience})
	must(t, err)
	defer v.Close()
	token, err := v.Verify(ctx, ours)
	must(t, err)
	var claims struct {
		Namespace string `json:"namespace"`
	}
	must(t, token.Claims(&claims))
	if token.Subject() != "system:serviceaccount:default:cart" || claims.Namespace != "default" {
		t.Errorf("%s %+v", token.Subject(), claims)
	}
	if status, answer := exchange(request("cart")); status == http.StatusOK {
		t.Errorf("a token for the API server is accepted: %s", answer)
	}
}
