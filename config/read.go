package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"sort"
	"strconv"
	"strings"

	"github.com/spf13/afero"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"
)

// find returns the files to read, in their order.
func (l *loader) find() ([]string, error) {
	paths := l.options.Paths
	if len(paths) == 0 {
		path, err := l.search()
		if err != nil {
			return nil, err
		}
		paths = []string{path}
	}
	var names []string
	seen := make(map[string]bool)
	for _, path := range paths {
		found, err := filesOf(path)
		if err != nil {
			return nil, err
		}
		for _, name := range found {
			if key, err := filepath.Abs(name); err == nil && !seen[key] {
				seen[key] = true
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// filesOf returns a file itself, or the YAML files of a folder. What begins with a dot is no configuration: editors and
// mounted secrets keep their own things under such names.
func filesOf(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	var names []string
	for _, entry := range entries {
		extension := filepath.Ext(entry.Name())
		if strings.HasPrefix(entry.Name(), ".") || (extension != ".yaml" && extension != ".yml") {
			continue
		}
		name := filepath.Join(path, entry.Name())
		// A link is followed, so the entry's own type says too little.
		if info, err := os.Stat(name); err != nil || !info.IsDir() {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("the folder %s has no *.yaml file; put the configuration there or name another place", path)
	}
	return names, nil
}

// search looks where a configuration is expected when none is named.
func (l *loader) search() (string, error) {
	if path, ok := l.options.Env("ROLLCALL_CONFIG"); ok && path != "" {
		return path, nil
	}
	folders := finder{"."}
	if folder, ok := l.options.Env("XDG_CONFIG_HOME"); ok && folder != "" {
		folders = append(folders, filepath.Join(folder, "rollcall"))
	} else if folder, ok := l.options.Env("AppData"); ok && runtime.GOOS == "windows" {
		folders = append(folders, filepath.Join(folder, "rollcall"))
	} else if folder, ok := l.options.Env("HOME"); ok && folder != "" {
		folders = append(folders, filepath.Join(folder, ".config", "rollcall"))
	}
	if runtime.GOOS != "windows" {
		folders = append(folders, "/etc/rollcall")
	}
	v := viper.NewWithOptions(viper.WithFinder(folders))
	// Faults in the content are not viper's to tell: it names one of them, and not the line of most.
	err := v.ReadInConfig()
	if path := v.ConfigFileUsed(); path != "" {
		return path, nil
	}
	var missing viper.ConfigFileNotFoundError
	if err != nil && !errors.As(err, &missing) {
		return "", fmt.Errorf("the configuration cannot be read: %w", err)
	}
	return "", fmt.Errorf("there is no configuration: no rollcall.yaml in %s; write one with `rollcall init`, or name it with ROLLCALL_CONFIG",
		strings.Join(folders, ", "))
}

// finder makes viper look for rollcall.yaml and rollcall.yml only. By itself it would also take rollcall.env or
// rollcall.json, which are other people's files.
type finder []string

// Find returns the first of the files that exists.
func (f finder) Find(fsys afero.Fs) ([]string, error) {
	for _, folder := range f {
		for _, name := range []string{"rollcall.yaml", "rollcall.yml"} {
			path := filepath.Join(folder, name)
			info, err := fsys.Stat(path)
			switch {
			case err == nil && !info.IsDir():
				return []string{path}, nil
			case err != nil && !errors.Is(err, fs.ErrNotExist):
				return nil, err
			}
		}
	}
	return nil, nil
}

// maxFile bounds one file; forty sites take some hundred KiB.
const maxFile = 8 << 20

// read parses one file. The node is nil where the file holds nothing, or nothing that could be parsed.
func (l *loader) read(name string) (*node, error) {
	data, err := readBounded(name, maxFile)
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	l.config.Files = append(l.config.Files, name)
	return l.parse(&source{name: name, folder: filepath.Dir(name), order: len(l.config.Files)}, data), nil
}

func readBounded(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s is larger than %d KiB", name, most>>10)
	}
	return data, err
}

func (l *loader) parse(file *source, data []byte) *node {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, more yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		switch err = decoder.Decode(&more); {
		case err == nil:
			at := &node{file: file, line: more.Line, column: more.Column}
			l.fault(at, "write one document to a file; a folder may hold many files", "a second document begins here (---)")
		case errors.Is(err, io.EOF):
			err = nil
		}
	}
	if err != nil {
		l.syntaxFault(file, data, err)
		return nil
	}
	u := unfolder{loader: l, file: file, left: maxNodes, open: make(map[*yaml.Node]bool)}
	root := u.unfold(document.Content[0], "")
	if root.null() {
		return nil
	}
	return root
}

var yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(?s:(.*))$`)

// hints say in an administrator's words what YAML's own messages mean.
var hints = []struct{ message, hint string }{
	{"found character that cannot start any token", "put a value that begins with @, % or ` in quotes"},
	{"did not find expected alphabetic or numeric character", "put a value that begins with * or & in quotes, as in schedule: \"*/15 * * * *\""},
	{"mapping values are not allowed in this context", "put a value that holds a colon and a space in quotes, and check the indent"},
	{"could not find expected ':'", "check that the line before has its colon, quotes are closed and lines are indented alike"},
	{"did not find expected key", "check that lines are indented alike and quotes are closed"},
	{"did not find expected ',' or", "check that brackets are closed, and put ${NAME} inside [ ] and { } in quotes"},
	{"did not find expected", "check that brackets and quotes are closed"},
	{"unknown anchor", "put a value that begins with * in quotes, or write the anchor (&name) before it is used"},
	{"found unexpected end of stream", "check that quotes are closed"},
}

// parserMessage matches what the parser says about a block or a flow as a whole: its line is that before the whole began.
var parserMessage = regexp.MustCompile(`^did not find expected (<|node content|'-' indicator|key|',')`)

// firstBadLine returns the line at which a fault shows that is told with the line where the whole begins: the first one up to
// which the text has this very fault. Where cutting the text brings the same fault by itself (a bracket that is open at the
// end), that is the line where the whole begins.
func firstBadLine(data []byte, fault string, before int) int {
	lines := bytes.SplitAfter(data, []byte("\n"))
	bad := sort.Search(len(lines), func(n int) bool {
		var ignored yaml.Node
		err := yaml.Unmarshal(bytes.Join(lines[:n+1], nil), &ignored)
		return err != nil && err.Error() == fault
	})
	return max(min(bad, len(lines)-1), before) + 1
}

// syntaxFault reports a file that is no YAML. A tab in the indent is the usual reason, and the one that the parser's
// message does not name.
func (l *loader) syntaxFault(file *source, data []byte, err error) {
	for i, line := range strings.Split(string(data), "\n") {
		indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		if tab := strings.IndexByte(indent, '\t'); tab >= 0 && strings.TrimSpace(line) != "" {
			at := &node{file: file, line: i + 1, column: tab + 1}
			l.fault(at, "indent with spaces", "the line is indented with a tab")
			return
		}
	}
	at, message := &node{file: file, line: 1, column: 1}, err.Error()
	if parts := yamlError.FindStringSubmatch(message); parts != nil {
		if line, err := strconv.Atoi(parts[1]); err == nil {
			at.line = line
		}
		message = parts[2]
	}
	if name, ok := strings.CutPrefix(message, "unknown anchor '"); ok {
		name, _, _ = strings.Cut(name, "'")
		if before, _, ok := strings.Cut(string(data), "*"+name); ok {
			at.line = 1 + strings.Count(before, "\n")
			at.column = len(before) - strings.LastIndexByte(before, '\n')
		}
	}
	if parserMessage.MatchString(message) {
		at.line = firstBadLine(data, err.Error(), at.line)
	}
	remedy := "check the line and the one before it"
	for _, h := range hints {
		if strings.Contains(message, h.message) {
			remedy = h.hint
			break
		}
	}
	l.fault(at, remedy, "this is no YAML: %s", message)
}
