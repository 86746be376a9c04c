package main

import (
	"strings"
	"testing"
)

func TestWhatIsPrintedAndCounted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, input, want string
		sums              sums
	}{
		{
			name: "a passed test is silent, its package says so",
			input: `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: hello\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`,
			want: "ok  \tp\t0.1s\n",
			sums: sums{passed: 1},
		},
		{
			name: "a failed test shows its whole output, once",
			input: `{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: wrong\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"FAIL\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`,
			want: "=== RUN   TestA\n    a_test.go:1: wrong\nFAIL\tp\t0.1s\n",
			sums: sums{failed: 1},
		},
		{
			name: "a skipped test shows its reason on one line",
			input: `{"Action":"output","Package":"p","Test":"TestA/b","Output":"=== RUN   TestA/b\n"}
{"Action":"output","Package":"p","Test":"TestA/b","Output":"    a_test.go:1: no server\n"}
{"Action":"output","Package":"p","Test":"TestA/b","Output":"    --- SKIP: TestA/b (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestA/b"}
{"Action":"skip","Package":"q"}
`,
			want: "skipped: TestA/b: a_test.go:1: no server\n",
			sums: sums{skipped: 1},
		},
		{
			name: "a package that does not build is a failure",
			input: `{"ImportPath":"p","Action":"build-output","Output":"./a.go:1: undefined: x\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p","FailedBuild":"p"}
`,
			want: "./a.go:1: undefined: x\nFAIL\tp [build failed]\nFAIL\tp ended without a verdict on its tests\n",
			sums: sums{failed: 1},
		},
		{
			name: "a panic shows what was running",
			input: `{"Action":"output","Package":"p","Test":"TestA","Output":"panic: test timed out\n"}
{"Action":"output","Package":"q","Test":"TestB","Output":"still running\n"}
{"Action":"fail","Package":"p"}
{"Action":"pass","Package":"q","Test":"TestB"}
`,
			want: "FAIL\tp ended without a verdict on its tests\npanic: test timed out\n",
			sums: sums{passed: 1, failed: 1},
		},
		{
			name:  "other lines go through",
			input: "go: downloading something\n{}\n",
			want:  "go: downloading something\n{}\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			got, err := read(strings.NewReader(c.input), &out)
			if err != nil {
				t.Fatal(err)
			}
			if out.String() != c.want {
				t.Errorf("printed\n%s\nwant\n%s", out.String(), c.want)
			}
			if got != c.sums {
				t.Errorf("counted %s, want %s", got, c.sums)
			}
		})
	}
}
