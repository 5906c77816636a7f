package users

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
	"github.com/keywright/keywright/issuer/login"
)

// usersNamespace creates a namespace, and returns a function that runs `users` in it.
func usersNamespace(t *testing.T, name string) (users func(in string, args ...string) (out, errOut string, err error)) {
	t.Helper()
	plugintest.StartCluster(t)
	if err := plugintest.Admin().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
		t.Fatal(err)
	}
	return func(in string, args ...string) (string, string, error) {
		t.Helper()
		return plugintest.Run(t, in, append([]string{"users", "-n", name}, args...)...)
	}
}

func usersSecretIn(t *testing.T, namespace string) *corev1.Secret {
	t.Helper()
	var secret corev1.Secret
	if err := plugintest.Admin().Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: defaultSecret}, &secret); err != nil {
		t.Fatal(err)
	}
	return &secret
}

// logsIn reports whether the issuer accepts a password with this list.
func logsIn(t *testing.T, list []byte, name, password string) bool {
	t.Helper()
	users, err := login.ParseUsers(list)
	if err != nil {
		t.Fatalf("%v\n%s", err, list)
	}
	_, err = login.NewList(func() (*login.Users, bool) { return users, true }, login.NewHasher(1, 1<<30)).Authenticate(t.Context(), name, password)
	if err != nil && !errors.Is(err, login.ErrDenied) {
		t.Fatal(err)
	}
	return err == nil
}

func TestUsersInASecret(t *testing.T) {
	users := usersNamespace(t, "users")
	for _, args := range [][]string{{"list"}, {"disable", "alice"}, {"add", "alice"}} {
		if _, _, err := users("x\n", args...); err == nil || !strings.Contains(err.Error(), "there is no Secret users/keywright-issuer-users") || !strings.Contains(err.Error(), "--create") {
			t.Errorf("%v without a Secret: %v", args, err)
		}
	}
	out, errOut, err := users("correct horse\n", "add", "alice", "--create", "--claim", "email=alice@example.com", "--scope", "read", "--scope", "write")
	if err != nil || !strings.HasPrefix(out, "User alice is added to Secret users/keywright-issuer-users, with the subject ") {
		t.Fatalf("%v %s", err, out)
	}
	if !strings.Contains(errOut, "within 90 s") || !strings.Contains(errOut, "kubectl annotate pods -n users ") {
		t.Errorf("it does not say when: %s", errOut)
	}
	secret := usersSecretIn(t, "users")
	if !logsIn(t, secret.Data["users.yaml"], "alice", "correct horse") || logsIn(t, secret.Data["users.yaml"], "alice", "horse") {
		t.Errorf("alice does not log in: %s", secret.Data["users.yaml"])
	}

	// Other entries of the Secret stay, and so does every other byte of the list.
	secret.Labels = map[string]string{"kept": "yes"}
	secret.Data["other"] = []byte{0, 1, 2}
	secret.Data["users.yaml"] = append([]byte("# ours\n"), secret.Data["users.yaml"]...)
	if err := plugintest.Admin().Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	before := string(secret.Data["users.yaml"])
	if out, _, err := users("staple\n", "add", "bob", "--subject", "b1", "--disabled"); err != nil || !strings.Contains(out, "with the subject b1.") {
		t.Errorf("%v %s", err, out)
	}
	secret = usersSecretIn(t, "users")
	if list := string(secret.Data["users.yaml"]); !strings.HasPrefix(list, before) || secret.Labels["kept"] != "yes" || !bytes.Equal(secret.Data["other"], []byte{0, 1, 2}) {
		t.Errorf("something else was changed: %v\n%s", secret.Labels, list)
	}
	if logsIn(t, secret.Data["users.yaml"], "bob", "staple") {
		t.Error("bob is disabled, and logs in")
	}
	for _, args := range [][]string{{"enable", "bob"}, {"enable", "bob"}} {
		if out, errOut, err := users("", args...); err != nil || !strings.Contains(out, "enabled in Secret ") || strings.Contains(errOut, "revoke") {
			t.Errorf("%v: %v %s %s", args, err, out, errOut)
		}
	}
	if !logsIn(t, usersSecretIn(t, "users").Data["users.yaml"], "bob", "staple") {
		t.Error("bob is enabled, and does not log in")
	}
	if out, errOut, err := users("battery", "set-password", "bob"); err != nil || !strings.Contains(out, "User bob has a new password") || strings.Contains(out+errOut, "battery") {
		t.Errorf("%v %s %s", err, out, errOut)
	}
	if list := usersSecretIn(t, "users").Data["users.yaml"]; !logsIn(t, list, "bob", "battery") || logsIn(t, list, "bob", "staple") {
		t.Error("bob does not log in with the new password alone")
	}
	if _, errOut, err := users("", "disable", "bob"); err != nil || !strings.Contains(errOut, "Tokens of bob stay valid until they expire") ||
		!strings.Contains(errOut, "kubectl keywright revoke SIGNINGKEY --subject b1 --nudge -w") {
		t.Errorf("%v %s", err, errOut)
	}
	if out, _, err := users("", "remove", "bob"); err != nil || !strings.Contains(out, "User bob is removed from Secret users/") {
		t.Errorf("%v %s", err, out)
	}
	if list := string(usersSecretIn(t, "users").Data["users.yaml"]); list != before {
		t.Errorf("without bob it is not as before: %s", list)
	}
}

func TestUsersListed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.yaml")
	const bcrypt = "$2y$10$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	if err := os.WriteFile(path, fmt.Appendf(nil, "apiVersion: issuer.keywright.dev/v1alpha1\nkind: UserList\nusers:\n"+
		"- {name: alice, subject: a1, passwordHash: '%s', claims: {email: private@example.com}}\n- {name: bob, subject: b1, passwordHash: %s, disabled: true, scopes: []}\n",
		login.HashPassword("x"), bcrypt), 0o600); err != nil {
		t.Fatal(err)
	}
	list := func(args ...string) string {
		t.Helper()
		out, _, err := plugintest.RunAs(t, "/nowhere", "", append([]string{"users", "list", "-f", path}, args...)...)
		if err != nil || strings.Contains(out, "$") || strings.Contains(out, "private") {
			t.Errorf("%v: %v %s", args, err, out)
		}
		return out
	}
	const table = "NAME   SUBJECT  DISABLED  SCOPES  HASH\n" +
		"alice  a1       false     <any>   argon2id m=19456,t=2,p=1\n" +
		"bob    b1       true      <none>  bcrypt 10\n"
	if out := list(); out != table {
		t.Error(out)
	}
	if out := list("-o", "name"); out != "alice\nbob\n" {
		t.Error(out)
	}
	for _, format := range []string{"json", "yaml"} {
		out := list("-o", format)
		text, err := yaml.YAMLToJSON([]byte(out))
		var users []login.Description
		if err != nil || format == "json" && !json.Valid([]byte(out)) || json.Unmarshal(text, &users) != nil || len(users) != 2 ||
			users[0].Scopes != nil || users[1].Scopes == nil || !users[1].Disabled || users[1].Hash.Scheme != "bcrypt" {
			t.Errorf("-o %s: %v %+v\n%s", format, err, users, out)
		}
	}
	var usage *cli.UsageError
	if _, _, err := plugintest.RunAs(t, "/nowhere", "", "users", "list", "-f", path, "-o", "xml"); !errors.As(err, &usage) {
		t.Errorf("-o xml: %v", err)
	}
}

func TestUsersThatAreRefused(t *testing.T) {
	users := usersNamespace(t, "users-refused")
	if _, _, err := users("x\n", "add", "alice", "--subject", "a1", "--create"); err != nil {
		t.Fatal(err)
	}
	good := usersSecretIn(t, "users-refused")
	for _, c := range []struct {
		args, in, says string
	}{
		{"add alice", "x\n", `user "alice" is already in the list`},
		{"add bob --subject a1", "x\n", `the user "alice" already has this subject`},
		{"add bob --subject client:x", "x\n", "users[1].subject: must have"},
		{"add bob --claim iss=x", "x\n", "users[1].claims.iss: is reserved"},
		{"add bob --claim apiKey=x", "x\n", "looks like a secret, by its name"},
		{"add bob --claim x", "x\n", "--claim is NAME=VALUE"},
		{"add bob --scope \u00e9", "x\n", "must be a list of scopes"},
		{"add a\u202eb", "x\n", "must have 1 to 256 bytes"},
		{"add bob", "", "the password must have 1 to 1024 bytes"},
		{"add bob", "hunter2\nhunter2\n", "the password must have 1 to 1024 bytes"},
		{"add bob", strings.Repeat("hunter2", 200), "the password must have 1 to 1024 bytes"},
		{"set-password bob", "x\n", `there is no user "bob" in the list`},
		{"disable bob", "", `there is no user "bob" in the list`},
		{"remove bob", "", `there is no user "bob" in the list`},
		{"list --secret nothing", "", "there is no Secret users-refused/nothing"},
	} {
		if _, _, err := users(c.in, strings.Fields(c.args)...); err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: want %q, got %v", c.args, c.says, err)
		}
	}
	if now := usersSecretIn(t, "users-refused"); now.ResourceVersion != good.ResourceVersion {
		t.Errorf("it was written: %s", now.Data["users.yaml"])
	}

	full := good.DeepCopy()
	full.Data["other"] = make([]byte, corev1.MaxSecretSize-len(full.Data["users.yaml"])-10)
	if err := plugintest.Admin().Update(t.Context(), full); err != nil {
		t.Fatal(err)
	}
	if _, _, err := users("x\n", "add", "bob"); err == nil || !strings.Contains(err.Error(), "a Secret has at most 1048576") {
		t.Errorf("too large: %v", err)
	}
	full.Data = map[string][]byte{"users.yaml": []byte("apiVersion: issuer.keywright.dev/v1alpha1\nkind: UserList\nusers:\n- {name: alice, subject: a1, passwordHash: hunter2, disbled: true}\n")}
	if err := plugintest.Admin().Update(t.Context(), full); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"list", "add bob", "enable alice"} {
		if _, _, err := users("x\n", strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), "line 4: users[0].disbled: unknown field; did you mean disabled?") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s in a list that is wrong: %v", args, err)
		}
	}
	full.Data, full.Immutable = good.Data, new(true)
	if err := plugintest.Admin().Update(t.Context(), full); err != nil {
		t.Fatal(err)
	}
	if _, _, err := users("x\n", "add", "bob"); err == nil || !strings.Contains(err.Error(), "is immutable: delete it, create it again") {
		t.Errorf("immutable: %v", err)
	}
}

// A Secret without a list is probably not the one of the users.
func TestUsersOfAnotherSecret(t *testing.T) {
	users := usersNamespace(t, "users-other")
	other := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "users-other", Name: defaultSecret}, Data: map[string][]byte{"password": []byte("x")}}
	other.OwnerReferences = []metav1.OwnerReference{{APIVersion: "example.com/v1", Kind: "SealedSecret", Name: "users", UID: "1"}}
	if err := plugintest.Admin().Create(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if _, _, err := users("x\n", "add", "alice"); err == nil || !strings.Contains(err.Error(), "has no entry users.yaml") {
		t.Errorf("%v", err)
	}
	_, errOut, err := users("x\n", "add", "alice", "--create")
	if err != nil || !strings.Contains(errOut, "is managed by the SealedSecret users, which may revert this change") {
		t.Errorf("%v %s", err, errOut)
	}
	if now := usersSecretIn(t, "users-other"); string(now.Data["password"]) != "x" || len(now.Data) != 2 {
		t.Errorf("%v", now.Data)
	}
}

// Concurrent changes are not lost. If they never stop, the command fails.
func TestConcurrentChanges(t *testing.T) {
	users := usersNamespace(t, "users-race")
	var all sync.WaitGroup
	for _, name := range []string{"a", "b", "c"} {
		all.Go(func() {
			if _, _, err := users("x\n", "add", name, "--create"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if out, _, err := users("", "list", "-o", "name"); err != nil || len(strings.Fields(out)) != 3 {
		t.Errorf("%v %s", err, out)
	}
	list := &secretList{client: plugintest.Admin(), namespace: "users-race", name: defaultSecret}
	for _, c := range []struct{ others, tries int }{{1, 2}, {100, 4}} {
		tries := 0
		err := list.change(t.Context(), func(e *login.Edit) error {
			if tries++; tries <= c.others {
				secret := usersSecretIn(t, "users-race")
				secret.Labels = map[string]string{"try": fmt.Sprintf("%d-%d", c.others, tries)}
				if err := plugintest.Admin().Update(t.Context(), secret); err != nil {
					t.Fatal(err)
				}
			}
			return e.SetDisabled("a", c.others == 1)
		})
		if tries != c.tries || (err == nil) != (c.others == 1) || err != nil && !strings.Contains(err.Error(), "this command changed nothing") {
			t.Errorf("%d changes by others: %d tries, %v", c.others, tries, err)
		}
	}
	e, err := login.EditUsers(usersSecretIn(t, "users-race").Data["users.yaml"])
	if err != nil {
		t.Fatal(err)
	}
	if a, err := e.Find("a"); err != nil || !a.Disabled {
		t.Errorf("the change is lost: %v %+v", err, a)
	}
}

// The Role of the samples allows exactly what the commands need.
func TestUsersRole(t *testing.T) {
	plugintest.StartCluster(t)
	b, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "config", "samples", "users-keeper.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var role rbacv1.Role
	if err := yaml.UnmarshalStrict(b, &role); err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := plugintest.KubeconfigFor("users-keeper", "system:authenticated")
	if err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name, Namespace: role.Namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "users-keeper"}},
	}
	for _, object := range []client.Object{&role, binding} {
		if err := plugintest.Admin().Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	if out, _, err := plugintest.Run(t, "x\n", "users", "add", "alice", "--create"); err != nil || !strings.Contains(out, "Secret keywright-system/keywright-issuer-users") {
		t.Fatalf("%v %s", err, out)
	}
	defer func() { _ = plugintest.Admin().Delete(t.Context(), usersSecretIn(t, role.Namespace)) }()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(30 * time.Second); ; <-ticker.C { // until the authorizer knows the Role
		if _, _, err = plugintest.RunAs(t, kubeconfig, "", "users", "list"); err == nil || time.Now().After(deadline) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"add bob", "set-password bob", "disable bob", "enable bob", "remove bob"} {
		if _, _, err := plugintest.RunAs(t, kubeconfig, "y\n", append([]string{"users"}, strings.Fields(args)...)...); err != nil {
			t.Errorf("%s: %v", args, err)
		}
	}
	if _, _, err := plugintest.RunAs(t, kubeconfig, "y\n", "users", "list", "--secret", "main-keyring"); !apierrors.IsForbidden(err) {
		t.Errorf("another Secret: %v", err)
	}
}

func TestUsersInAFile(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "users.yaml")
	users := func(in string, args ...string) (string, string, error) {
		t.Helper()
		return plugintest.RunAs(t, "/nowhere", in, append([]string{"users", "-f", path}, args...)...)
	}
	if _, _, err := users("x\n", "add", "alice"); err == nil || !strings.Contains(err.Error(), "there is no file "+path) {
		t.Errorf("%v", err)
	}
	if _, errOut, err := users("correct horse\n", "add", "alice", "--create"); err != nil || !strings.Contains(errOut, "Issuers see this change when the file is in the Secret") {
		t.Errorf("%v %s", err, errOut)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a new file: %v %v", info, err)
	}
	link := filepath.Join(directory, "link.yaml")
	if err := errors.Join(os.Chmod(path, 0o640), os.Symlink("users.yaml", link)); err != nil {
		t.Fatal(err)
	}
	file := path
	path = link
	if _, _, err := users("", "disable", "alice"); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("its mode is changed: %v %v", info, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v %v", info, err)
	}
	list := func() []byte {
		t.Helper()
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if logsIn(t, list(), "alice", "correct horse") {
		t.Error("alice is disabled, and logs in")
	}
	if _, _, err := users("", "enable", "alice"); err != nil || !logsIn(t, list(), "alice", "correct horse") {
		t.Errorf("alice is enabled, and does not log in: %v", err)
	}

	// Another process saves the file during the change.
	before := list()
	f := &fileList{path: file}
	err := f.change(t.Context(), func(e *login.Edit) error {
		return errors.Join(os.WriteFile(file, append(before, "# theirs\n"...), 0o600), e.SetDisabled("alice", true))
	})
	if err == nil || !strings.Contains(err.Error(), "in the meantime, and this command changed nothing") || !bytes.HasSuffix(list(), []byte("# theirs\n")) {
		t.Errorf("%v\n%s", err, list())
	}
	if left, err := os.ReadDir(directory); err != nil || len(left) != 2 {
		t.Errorf("files are left behind: %v %v", left, err)
	}
}

func TestCompletionOfUsers(t *testing.T) {
	users := usersNamespace(t, "users-complete")
	for _, name := range []string{"alice", "bob"} {
		if _, _, err := users("x\n", "add", name, "--create"); err != nil {
			t.Fatal(err)
		}
	}
	for args, offers := range map[string]string{"disable ": "alice\nbob\n:4", "set-password ": "alice\nbob\n:4", "remove alice ": ":4", "add ": ":4", "list -o ": "json\nyaml\nname\n:4"} {
		var out bytes.Buffer
		cmd := plugintest.NewCommand(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &bytes.Buffer{}}, time.Now)
		cmd.SetArgs(append([]string{"__complete", "--kubeconfig", plugintest.Kubeconfig(), "-n", "users-complete", "users"}, strings.Split(args, " ")...))
		if err := cmd.ExecuteContext(t.Context()); err != nil || !strings.HasPrefix(out.String(), offers) {
			t.Errorf("%s: %v %q", args, err, out.String())
		}
	}
}

func TestShellWord(t *testing.T) {
	for text, want := range map[string]string{"a1": "a1", "-x": "'-x'", "a b": "'a b'", "o'x": `'o'\''x'`, "$(x)": "'$(x)'", "": "''", "them:alice@x/1": "them:alice@x/1"} {
		if got := shellWord(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
