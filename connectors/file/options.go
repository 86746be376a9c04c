package file

import (
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

const (
	formatAuto  = "auto"
	formatCSV   = "csv"
	formatJSON  = "json"
	formatJSONL = "jsonl"

	defaultGroups = "groups"
	defaultSplit  = "|"
)

func declared() []directory.Option {
	return []directory.Option{
		{Name: "path", Type: directory.OptionPath, Required: true, Ask: true, Example: "people.csv", Doc: "The file."},
		{
			Name: "format", Type: directory.OptionChoice, Default: formatAuto, Choices: []string{formatAuto, formatCSV, formatJSON, formatJSONL},
			Doc: "What the file is; auto goes by its ending: .csv, .tsv and .txt are CSV, .json is JSON, .jsonl and .ndjson are JSON Lines.",
		},
		{
			Name: "delimiter", Type: directory.OptionChoice, Default: "auto", Choices: []string{"auto", "comma", "semicolon", "tab", "pipe"},
			Doc: "What stands between the values of a CSV file; auto takes what is most frequent in the header, or what a first line sep= says.",
		},
		{
			Name: "encoding", Type: directory.OptionChoice, Default: encodingAuto,
			Choices: []string{encodingAuto, encodingUTF8, encodingWindows, encodingLatin1, encodingUTF16LE, encodingUTF16BE},
			Doc:     "The encoding of the text; auto knows UTF-8, byte-order marks, and exports in Windows-1252.",
		},
		{Name: "columns", Type: directory.OptionMap, Example: "{department: Cost unit}", Doc: "Attribute names and the headers of their columns, where the headers are not recognised."},
		{Name: "id_column", Type: directory.OptionText, Example: "Badge", Doc: "The header of the column that tells accounts apart; without it the first of id, employee_id, username and email that the file has."},
		{Name: "groups_column", Type: directory.OptionText, Default: defaultGroups, Doc: "The header of the column with the names of the groups of each account."},
		{
			Name: "group_separator", Type: directory.OptionText, Default: defaultSplit,
			Doc: "What stands between group names in one cell; with the default, a cell without | is split at ; instead.",
		},
		{Name: "active_column", Type: directory.OptionText, Example: "Employed", Doc: "The header of the column that says who may sign in, where it is not recognised."},
		{Name: "active_values", Type: directory.OptionList, Example: "[present]", Doc: "Further spellings in that column that mean active."},
		{Name: "inactive_values", Type: directory.OptionList, Example: "[retired, on leave]", Doc: "Further spellings in that column that mean inactive."},
		{Name: "list_columns", Type: directory.OptionList, Example: "[Languages]", Doc: "The headers of CSV columns whose cells hold several values."},
		{Name: "list_separator", Type: directory.OptionText, Default: defaultSplit, Doc: "What stands between the values in such a cell."},
		{Name: "trim", Type: directory.OptionBool, Default: "true", Doc: "Ignore spaces around values."},
		{
			Name: "min_age", Type: directory.OptionDuration, Default: "0s", Example: "1m",
			Doc: "Do not read a file that was changed more recently than this, because its upload may be under way.",
		},
		{Name: "writable", Type: directory.OptionBool, Default: "false", Doc: "Allow Rollcall to change the file."},
	}
}

// options is the configuration of one file.
type options struct {
	name, path     string
	format         string
	delimiter      byte // 0 is auto
	encoding       string
	columns        map[string]string
	idColumn       string
	groupsColumn   string
	groupsNamed    bool // the configuration names the column
	groupSplit     string
	activeColumn   string
	active         map[string]bool // spellings, plain, and what they mean
	listColumns    []string
	listSplit      string
	trim, writable bool
	minAge         time.Duration
}

// parse checks the options.
func parse(s directory.Settings) (*options, error) {
	o := &options{
		name: s.Name, path: s.Text("path"), format: s.Text("format"), encoding: s.Text("encoding"), columns: s.Map("columns"),
		idColumn: s.Text("id_column"), groupsColumn: s.Text("groups_column"), groupSplit: s.Text("group_separator"),
		activeColumn: s.Text("active_column"), listColumns: s.List("list_columns"), listSplit: s.Text("list_separator"),
		trim: s.Bool("trim"), writable: s.Bool("writable"), minAge: s.Duration("min_age"),
	}
	if o.path == "" {
		return nil, &directory.OptionError{Option: "path", Message: "is missing; name the file"}
	}
	o.groupsNamed = o.groupsColumn != defaultGroups
	for _, separator := range separators {
		if separator.name == s.Text("delimiter") {
			o.delimiter = separator.char
		}
	}
	if o.format == formatAuto {
		switch strings.ToLower(filepath.Ext(o.path)) {
		case ".csv", ".tsv", ".txt":
			o.format = formatCSV
		case ".json":
			o.format = formatJSON
		case ".jsonl", ".ndjson":
			o.format = formatJSONL
		default:
			return nil, &directory.OptionError{Option: "format", Message: "cannot be told from the name of the file; set it to csv, json or jsonl"}
		}
	}
	if o.minAge < 0 {
		return nil, &directory.OptionError{Option: "min_age", Message: "must not be negative"}
	}
	for _, option := range []struct{ name, value string }{{"group_separator", o.groupSplit}, {"list_separator", o.listSplit}} {
		if strings.TrimSpace(option.value) == "" {
			return nil, &directory.OptionError{Option: option.name, Message: "must hold a character other than a space"}
		}
	}
	if err := o.checkColumns(); err != nil {
		return nil, err
	}
	return o, o.spell(s.List("active_values"), s.List("inactive_values"))
}

// checkColumns looks at the map of columns as far as that is possible without the file.
func (o *options) checkColumns() error {
	headers := map[string]string{}
	for _, attribute := range slices.Sorted(maps.Keys(o.columns)) {
		header := o.columns[attribute]
		if !directory.IsAttributeName(attribute) {
			return &directory.OptionError{Option: "columns", Message: strconv.Quote(attribute) + " is no attribute; take a name of the vocabulary, or custom. and a name"}
		}
		if strings.TrimSpace(header) == "" {
			return &directory.OptionError{Option: "columns", Message: attribute + " names no column"}
		}
		key := strings.ToLower(strings.TrimSpace(header))
		if other, twice := headers[key]; twice {
			return &directory.OptionError{Option: "columns", Message: "the column " + strconv.Quote(header) + " is named for both " + other + " and " + attribute}
		}
		headers[key] = attribute
	}
	if _, ok := o.columns[directory.Active]; ok && o.activeColumn != "" {
		return &directory.OptionError{Option: "active_column", Message: "is named under columns, too; keep one of the two"}
	}
	if _, ok := o.columns[directory.ID]; ok {
		if o.idColumn != "" {
			return &directory.OptionError{Option: "id_column", Message: "is named under columns, too; keep one of the two"}
		}
		o.idColumn = o.columns[directory.ID]
	}
	return nil
}

// The spellings that a column of active accounts may have. The README names them all.
var (
	activeSpellings   = []string{"true", "yes", "y", "1", "on", "active", "enabled", "current", "employed", "ja", "aktiv"}
	inactiveSpellings = []string{
		"false", "no", "n", "0", "off", "inactive", "disabled", "suspended", "deactivated", "deprovisioned", "blocked", "locked",
		"terminated", "left", "former", "archived", "nein", "inaktiv",
	}
	// opposites are written where the file shows only one of the two.
	opposites = [][2]string{
		{"true", "false"},
		{"yes", "no"},
		{"y", "n"},
		{"1", "0"},
		{"on", "off"},
		{"active", "inactive"},
		{"enabled", "disabled"},
		{"current", "former"},
		{"employed", "left"},
		{"ja", "nein"},
		{"aktiv", "inaktiv"},
		{"active", "suspended"},
		{"active", "deactivated"},
		{"active", "deprovisioned"},
		{"active", "blocked"},
		{"active", "locked"},
		{"active", "terminated"},
		{"active", "archived"},
	}
)

// spell collects the spellings.
func (o *options) spell(active, inactive []string) error {
	o.active = map[string]bool{}
	for _, text := range activeSpellings {
		o.active[text] = true
	}
	for _, text := range inactiveSpellings {
		o.active[text] = false
	}
	for _, text := range active {
		o.active[strings.ToLower(strings.TrimSpace(text))] = true
	}
	for _, text := range inactive {
		key := strings.ToLower(strings.TrimSpace(text))
		if slices.ContainsFunc(active, func(other string) bool { return sameHeader(other, text) }) {
			return &directory.OptionError{Option: "inactive_values", Message: strconv.Quote(text) + " is under active_values, too"}
		}
		o.active[key] = false
	}
	return nil
}

// grammar reads and writes one format. One grammar belongs to one state of one file.
type grammar interface {
	// discover reads what tells the columns.
	discover(r textReader) ([]column, error)
	// scan calls each for every record in order. The bytes are valid until it returns.
	scan(r textReader, each func(scanned) error) error
	// cells reads the values of one record, one per column. Where only is not nil, it may leave out the others.
	cells(raw []byte, columns []column, only []int) ([]any, error)
	// edit changes some values of one record and leaves all else as it stands; nil makes a new record.
	edit(raw []byte, columns []column, changes []change) ([]byte, error)
	// groupsValue returns what the cell of groups becomes.
	groupsValue(raw []byte, c column, want []directory.Group) (any, error)
	// separator stands between the last record and a new one where gap stands between the last two; first before and after
	// the first record of a file without any, which goes to bodyStart.
	separator(gap []byte) string
	first() (before, after string)
	bodyStart() int64
}

// change is a new value of one column.
type change struct {
	column int
	value  any
}

func (o *options) grammar() grammar {
	switch o.format {
	case formatCSV:
		return &csvGrammar{delimiter: o.delimiter, split: o.groupSplit}
	default:
		return &jsonGrammar{lines: o.format == formatJSONL, groups: o.groupsColumn, split: o.groupSplit}
	}
}
