package optiondoc_test

import (
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/optiondoc"
)

func TestTable(t *testing.T) {
	t.Parallel()
	got := optiondoc.Table(directory.Type{Options: []directory.Option{
		{Name: "url", Type: directory.OptionURL, Required: true, Doc: "Address.", Example: "https://id.example.com"},
		{Name: "mode", Type: directory.OptionChoice, Choices: []string{"a", "b"}, Default: "a", Doc: "One | the\nother."},
		{Name: "note", Type: directory.OptionText, Doc: "Anything."},
	}})
	want := "| Option | Type | Default | Meaning |\n|---|---|---|---|\n" +
		"| `url` | url | **required** | Address. Example: `https://id.example.com` |\n" +
		"| `mode` | `a`, `b` | `a` | One \\| the other. |\n" +
		"| `note` | text |  | Anything. |\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
