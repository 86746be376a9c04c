package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

const wide = `SIDE    ACTION        ACCOUNT         CHANGES                                             WHY
target  update        nora.yellowört  last_name "Yellowört" → "Appletree-Yellowört-Long"  last_name differs, personnel leads
target  create        dora                                                                in scope and not in website yet
target  group remove  hanna           Web editors                                         the rules no longer put hanna into it
… and 3 more operations
`

func TestTableIsWrapped(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		width int
		want  string
	}{
		{"not at all where it is no terminal", 0, wide},
		{"not at all where it fits", 127, wide},
		{"not at all where nothing sensible can be done", 60, wide},
		{"between words, where the sentences do not fit", 100, `SIDE    ACTION        ACCOUNT         CHANGES                     WHY
target  update        nora.yellowört  last_name "Yellowört" →     last_name differs, personnel leads
                                      "Appletree-Yellowört-Long"
target  create        dora                                        in scope and not in website yet
target  group remove  hanna           Web editors                 the rules no longer put hanna into
                                                                  it
… and 3 more operations
`},
		{"and within a word that is longer than its column", 68, `SIDE    ACTION        ACCOUNT         CHANGES           WHY
target  update        nora.yellowört  last_name         last_name
                                      "Yellowört" →     differs,
                                      "Appletree-Yello  personnel
                                      wört-Long"        leads
target  create        dora                              in scope and
                                                        not in
                                                        website yet
target  group remove  hanna           Web editors       the rules no
                                                        longer put
                                                        hanna into
                                                        it
… and 3 more operations
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, fitTable(wide, c.width)); diff != "" {
				t.Errorf("width %d (-want, +got):\n%s", c.width, diff)
			}
		})
	}
}

func TestWrappedTextKeepsItsSpaces(t *testing.T) {
	t.Parallel()
	const table = `SIDE    ACCOUNT  CHANGES                                 WHY
target  anna     title "Chief  Editor" → "Chief Editor"  title differs, staff leads
`
	if got := fitTable(table, 70); !strings.Contains(got, `"Chief  Editor"`) || !strings.Contains(got, `"Chief Editor"`) || got == table {
		t.Errorf("the two values look the same in\n%s", got)
	}
}

func TestWrappedTableKeepsItsWidthAndItsWords(t *testing.T) {
	t.Parallel()
	for width := 66; width < 130; width++ {
		got := fitTable(wide, width)
		for line := range strings.Lines(got) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("width %d: a line of %d: %q", width, n, line)
			}
		}
		letters := func(text string) int { return len(strings.Join(strings.Fields(text), "")) }
		if letters(got) != letters(wide) {
			t.Errorf("width %d: %d letters, not %d:\n%s", width, letters(got), letters(wide), got)
		}
	}
}
