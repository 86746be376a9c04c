package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/zalando/go-keyring"
)

// keyringService is the service under which the keyring is asked where a reference names none.
const keyringService = "rollcall"

// maxSecret bounds a secret's file: a private key with its chain fits.
const maxSecret = 64 << 10

var environmentName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// resolve replaces the references in a scalar:
//
//	${NAME}                  environment variable
//	${file:path}             content of a file without its last line end; relative to the configuration file
//	${keyring:service/user}  system keyring; ${keyring:user} asks for the service rollcall
//	$${                      the two characters ${
//
// What a reference brings is taken as it is and never looked at for further references.
func (l *loader) resolve(n *node) {
	if !strings.Contains(n.text, "${") {
		return
	}
	var b strings.Builder
	rest := n.text
	for {
		before, after, found := strings.Cut(rest, "${")
		if !found {
			b.WriteString(rest)
			break
		}
		if escaped, ok := strings.CutSuffix(before, "$"); ok {
			b.WriteString(escaped + "${")
			rest = after
			continue
		}
		reference, tail, closed := strings.Cut(after, "}")
		if !closed {
			n.missing = true
			l.fault(n, "close it with }, or write $${ for the characters themselves", "a reference ${ has no end")
			return
		}
		n.referenced = true
		b.WriteString(before + l.lookUp(n, reference))
		rest = tail
	}
	n.text = b.String()
	if n.missing {
		n.text = n.written
	}
}

// found is what a reference brought; one look-up serves all its uses.
type found struct {
	text, problem, remedy, warning string
	// misspelt is set for a reference that could never be found, which AllowMissingSecrets does not excuse.
	misspelt bool
}

func (l *loader) lookUp(n *node, reference string) string {
	key := reference
	if strings.HasPrefix(reference, "file:") {
		key = n.file.folder + "\x00" + reference
	}
	f, ok := l.found[key]
	if !ok {
		f = l.fetch(n.file.folder, reference)
		l.found[key] = f
	}
	switch {
	case f.problem != "" && l.options.AllowMissingSecrets && !f.misspelt:
		n.missing = true
		l.warn(n, f.remedy, "%s", f.problem)
	case f.problem != "":
		n.missing = true
		l.fault(n, f.remedy, "%s", f.problem)
	case f.warning != "":
		l.warn(n, f.remedy, "%s", f.warning)
	}
	return f.text
}

func (l *loader) fetch(folder, reference string) found {
	scheme, rest, ok := strings.Cut(reference, ":")
	switch {
	case !ok && environmentName.MatchString(reference):
		return l.fromEnvironment(reference)
	case !ok:
		return found{misspelt: true, problem: fmt.Sprintf("${%s} names no environment variable", reference), remedy: "write ${NAME} in letters, digits and _, or $${ for the characters themselves"}
	case scheme == "file" && rest != "":
		return fromFile(folder, rest)
	case scheme == "keyring" && rest != "":
		return l.fromKeyring(rest)
	default:
		return found{misspelt: true, problem: fmt.Sprintf("${%s} is no known reference", reference), remedy: "write ${NAME}, ${file:path} or ${keyring:service/user}"}
	}
}

func (l *loader) fromEnvironment(name string) found {
	text, ok := l.options.Env(name)
	switch {
	case !ok:
		return found{problem: fmt.Sprintf("environment variable %s is not set", name), remedy: "set it for the process that runs rollcall"}
	case text == "":
		return found{problem: fmt.Sprintf("environment variable %s is empty", name), remedy: "set it for the process that runs rollcall"}
	}
	return found{text: text}
}

func fromFile(folder, name string) found {
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(folder, path)
	}
	data, err := readBounded(path, maxSecret)
	var pathError *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return found{problem: fmt.Sprintf("there is no file %s", path), remedy: "create it with the secret as its only content"}
	case errors.As(err, &pathError):
		return found{problem: fmt.Sprintf("the file %s cannot be read: %v", path, pathError.Err), remedy: "let the user that runs rollcall read it"}
	case err != nil:
		return found{problem: err.Error(), remedy: "name the file that holds the secret and nothing else"}
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if text == "" {
		return found{problem: fmt.Sprintf("the file %s is empty", path), remedy: "write the secret into it"}
	}
	f := found{text: text}
	if openToAll(path) {
		f.warning, f.remedy = fmt.Sprintf("the file %s can be read by every user of this machine", path), "chmod 600 it"
	}
	return f
}

// openToAll reports whether any local user may read the file. Container engines mount secrets for all users of the
// container below /run/secrets, where that is no finding.
func openToAll(path string) bool {
	if runtime.GOOS == "windows" {
		return false
	}
	for _, mounted := range []string{"/run/secrets/", "/var/run/secrets/"} {
		if strings.HasPrefix(filepath.Clean(path), mounted) {
			return false
		}
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode().Perm()&0o004 != 0
}

func (l *loader) fromKeyring(reference string) found {
	service, user := keyringService, reference
	if i := strings.LastIndexByte(reference, '/'); i >= 0 {
		service, user = reference[:i], reference[i+1:]
	}
	if service == "" || user == "" {
		return found{misspelt: true, problem: fmt.Sprintf("${keyring:%s} lacks a service or a user", reference), remedy: "write ${keyring:service/user} or ${keyring:user}"}
	}
	text, err := l.options.Keyring(service, user)
	switch {
	case errors.Is(err, keyring.ErrNotFound):
		return found{problem: fmt.Sprintf("the keyring has no secret for the user %s of the service %s", user, service), remedy: "store it there for the user that runs rollcall"}
	case err != nil:
		return found{problem: fmt.Sprintf("the keyring did not answer: %v", err), remedy: "use ${NAME} or ${file:path} where there is no desktop session"}
	case text == "":
		return found{problem: fmt.Sprintf("the keyring's secret for the user %s of the service %s is empty", user, service), remedy: "store it again"}
	}
	return found{text: text}
}
