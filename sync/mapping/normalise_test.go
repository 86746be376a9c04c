package mapping_test

import (
	"math"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
)

func TestNormalise(t *testing.T) {
	text, list := directory.Text, directory.List
	day := directory.Time(time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC))
	for name, test := range map[string]struct {
		value directory.Value
		kind  directory.Kind
		want  directory.Value
	}{
		"a plain text stays":                           {text("anna"), directory.KindText, text("anna")},
		"spaces inside stay":                           {text("anna  b"), directory.KindText, text("anna  b")},
		"outer spaces go":                              {text("  anna\t\n"), directory.KindText, text("anna")},
		"outer spaces of other scripts go":             {text("\u00a0\u3000änna\u2003"), directory.KindText, text("änna")},
		"a text of spaces is empty":                    {text(" \t "), directory.KindText, directory.Value{}},
		"control characters go":                        {text("an\x00n\x7fa\u0085"), directory.KindText, text("anna")},
		"invisible signs go":                           {text("\ufeffan\u200bna\u2060"), directory.KindText, text("anna")},
		"joiners of scripts that need them stay":       {text("نام\u200cها"), directory.KindText, text("نام\u200cها")},
		"a tab becomes a space":                        {text("a\tb"), directory.KindText, text("a b")},
		"line ends become one sign":                    {text("a\r\nb\rc\nd\u2028e"), directory.KindText, text("a\nb\nc\nd\ne")},
		"letters and marks are composed":               {text("e\u0301"), directory.KindText, text("é")},
		"what a control character parted is composed":  {text("e\x00\u0301"), directory.KindText, text("é")},
		"damaged letters are marked as such":           {text("a\xffb"), directory.KindText, text("a\ufffdb")},
		"case stays":                                   {text("Anna"), directory.KindText, text("Anna")},
		"the empty value stays":                        {directory.Value{}, directory.KindBool, directory.Value{}},
		"a bool becomes a text":                        {directory.Bool(true), directory.KindText, text("true")},
		"a number becomes a text":                      {directory.Number(42), directory.KindText, text("42")},
		"a time becomes a text":                        {day, directory.KindText, text("2026-01-31T00:00:00Z")},
		"a list of one becomes a text":                 {list(" a "), directory.KindText, text("a")},
		"a list that keeps one item becomes a text":    {list("a", " ", "a"), directory.KindText, text("a")},
		"a list of two stays a list":                   {list("a", "b"), directory.KindText, list("a", "b")},
		"a text becomes a list":                        {text("a"), directory.KindList, list("a")},
		"a number becomes a list":                      {directory.Number(1), directory.KindList, list("1")},
		"a list loses empty and repeated items":        {list("b", " ", "a ", "b", "é", "e\u0301"), directory.KindList, list("b", "a", "é")},
		"a list of nothing is empty":                   {list(" ", "\x00"), directory.KindList, directory.Value{}},
		"true is a bool":                               {text(" True "), directory.KindBool, directory.Bool(true)},
		"0 is a bool":                                  {text("0"), directory.KindBool, directory.Bool(false)},
		"1 is a bool":                                  {text("1"), directory.KindBool, directory.Bool(true)},
		"false in a list of one is a bool":             {list("FALSE"), directory.KindBool, directory.Bool(false)},
		"the number 1 is a bool":                       {directory.Number(1), directory.KindBool, directory.Bool(true)},
		"the number 2 is no bool":                      {directory.Number(2), directory.KindBool, directory.Number(2)},
		"yes is no bool":                               {text("yes"), directory.KindBool, text("yes")},
		"a time is no bool":                            {day, directory.KindBool, day},
		"digits are a number":                          {text("42"), directory.KindNumber, directory.Number(42)},
		"a negative decimal is a number":               {text("-1.50"), directory.KindNumber, directory.Number(-1.5)},
		"minus nothing is zero":                        {text("-0"), directory.KindNumber, directory.Number(0)},
		"digits in a list of one are a number":         {list("42"), directory.KindNumber, directory.Number(42)},
		"leading zeros make an identifier":             {text("007"), directory.KindNumber, text("007")},
		"an exponent is no number":                     {text("1e3"), directory.KindNumber, text("1e3")},
		"more digits than a number holds are a text":   {text("9007199254740993"), directory.KindNumber, text("9007199254740993")},
		"endless digits are a text":                    {text("1" + zeros(400)), directory.KindNumber, text("1" + zeros(400))},
		"a number with a point at the end is a text":   {text("1."), directory.KindNumber, text("1.")},
		"a number with a point at the start is a text": {text(".5"), directory.KindNumber, text(".5")},
		"a bool is no number":                          {directory.Bool(true), directory.KindNumber, directory.Bool(true)},
		"a moment is a time":                           {text("2026-01-31T01:00:00+01:00"), directory.KindTime, day},
		"a day is a time":                              {text("2026-01-31"), directory.KindTime, day},
		"a time without a zone is a text":              {text("2026-01-31 00:00:00"), directory.KindTime, text("2026-01-31 00:00:00")},
		"a time too far away is a text":                {text("9999-12-31"), directory.KindTime, text("9999-12-31")},
		"a number is no time":                          {directory.Number(1), directory.KindTime, directory.Number(1)},
		"without a kind the kind stays":                {directory.Number(1), directory.KindEmpty, directory.Number(1)},
	} {
		t.Run(name, func(t *testing.T) {
			spec := directory.AttributeSpec{Kind: test.kind}
			got := mapping.Normalise(test.value, spec)
			if !got.Equal(test.want) {
				t.Errorf("got %v %q, want %v %q", got.Kind(), got, test.want.Kind(), test.want)
			}
			if twice := mapping.Normalise(got, spec); !twice.Equal(got) {
				t.Errorf("twice is %v %q", twice.Kind(), twice)
			}
		})
	}
}

func zeros(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = '0'
	}
	return string(b)
}

func TestEqual(t *testing.T) {
	text, list := directory.Text, directory.List
	plain := directory.AttributeSpec{Kind: directory.KindText}
	folding := directory.AttributeSpec{Kind: directory.KindText, FoldCase: true}
	accents := directory.AttributeSpec{Kind: directory.KindText, FoldCase: true, FoldAccents: true}
	onlyAccents := directory.AttributeSpec{Kind: directory.KindText, FoldAccents: true}
	open := directory.AttributeSpec{}
	for name, test := range map[string]struct {
		a, b directory.Value
		spec directory.AttributeSpec
		want bool
	}{
		"the same text":                     {text("a"), text("a"), plain, true},
		"another text":                      {text("a"), text("b"), plain, false},
		"spaces around":                     {text("a"), text(" a "), plain, true},
		"composed and apart":                {text("é"), text("e\u0301"), plain, true},
		"case where it counts":              {text("a"), text("A"), plain, false},
		"case where it does not":            {text("a"), text("A"), folding, true},
		"case of other letters":             {text("ÄNNA"), text("änna"), folding, true},
		"sharp s where case does not count": {text("STRASSE"), text("straße"), folding, true},
		"the Greek end letter":              {text("ΟΔΟΣ"), text("οδος"), folding, true},
		"the sign for Kelvin":               {text("\u212a"), text("k"), folding, true},
		"accents where they count":          {text("é"), text("e"), folding, false},
		"accents where they do not":         {text("É"), text("e"), accents, true},
		"accents alone do not count":        {text("É"), text("e"), onlyAccents, false},
		"accents alone":                     {text("é"), text("e"), onlyAccents, true},
		"a text and a number":               {text("42"), directory.Number(42), plain, true},
		"a number and a text":               {directory.Number(42), text("42"), directory.AttributeSpec{Kind: directory.KindNumber}, true},
		"a number and a text of no kind":    {directory.Number(42), text("42"), open, true},
		"a bool and a text":                 {directory.Bool(true), text("TRUE"), directory.AttributeSpec{Kind: directory.KindBool}, true},
		"a time in two zones":               {text("2026-01-31T00:00:00Z"), text("2026-01-31T01:00:00+01:00"), directory.AttributeSpec{Kind: directory.KindTime}, true},
		"leading zeros":                     {text("007"), text("7"), directory.AttributeSpec{Kind: directory.KindNumber}, false},
		"lists in another order":            {list("a", "b"), list("b", "a"), open, true},
		"lists with other items":            {list("a", "b"), list("a", "c"), open, false},
		"a list with one item more":         {list("a", "b"), list("a"), open, false},
		"a list of one and a text":          {list("a"), text("a"), open, true},
		"lists in other case":               {list("A", "b"), list("B", "a"), folding, true},
		"items that differ in case only":    {list("A", "a"), list("a"), folding, true},
		"a list and its text":               {list("a", "b"), text("a, b"), open, false},
		"empty and empty":                   {directory.Value{}, text(" "), plain, true},
		"empty and false":                   {directory.Value{}, directory.Bool(false), open, false},
		"empty and zero":                    {directory.Value{}, directory.Number(0), open, false},
		"two that are no number":            {directory.Number(math.NaN()), directory.Number(math.NaN()), open, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, pair := range [][2]directory.Value{{test.a, test.b}, {test.b, test.a}} {
				if got := mapping.Equal(pair[0], pair[1], test.spec); got != test.want {
					t.Errorf("%q and %q: equal is %v", pair[0], pair[1], got)
				}
			}
			if same := mapping.Key(test.a, test.spec) == mapping.Key(test.b, test.spec); same != test.want {
				t.Errorf("keys %q and %q", mapping.Key(test.a, test.spec), mapping.Key(test.b, test.spec))
			}
		})
	}
}

func TestKeyOfNothingIsEmpty(t *testing.T) {
	for _, value := range []directory.Value{{}, directory.Text(" "), directory.List(" ", "\x00")} {
		if got := mapping.Key(value, directory.AttributeSpec{FoldCase: true}); got != "" {
			t.Errorf("%q has the key %q", value, got)
		}
	}
}
