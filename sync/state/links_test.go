package state

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

const staff = "staff-to-website"

func TestALinkComesBackAsItWasSaved(t *testing.T) {
	ctx, db := context.Background(), open(t)
	full := newLink("s1", "t1")
	plain := Link{
		Sync: staff, LinkHead: LinkHead{SourceID: "s2", TargetID: "t2"}, CreatedAt: start,
		Base: Base{Attributes: map[string]Pair{}},
	}
	must(t, db.SaveLinks(ctx, full, plain))
	for _, want := range []Link{full, plain} {
		bySource, err := db.LinkBySource(ctx, staff, want.SourceID)
		must(t, err)
		byTarget, err := db.LinkByTarget(ctx, staff, want.TargetID)
		must(t, err)
		for _, got := range []Link{bySource, byTarget} {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		}
	}
}

func TestSavingAgainChangesTheWholeLink(t *testing.T) {
	ctx, db := context.Background(), open(t)
	must(t, db.SaveLinks(ctx, newLink("s1", "t1"), newLink("s2", "t2")))
	changed := newLink("s1", "t1")
	changed.LinkHead = LinkHead{SourceID: "s1", TargetID: "t1", SourceHash: 5, TargetHash: 6, Rules: "r2"}
	changed.SourceDirectory, changed.TargetDirectory = "staff2", "website2"
	changed.SourceLabel, changed.TargetLabel, changed.Origin, changed.CreatedRun = "a", "b", OriginCommand, "run9"
	changed.CreatedAt = start.AddDate(1, 0, 0)
	changed.DeactivatedBy, changed.RememberedGroups = "", nil
	changed.Base = Base{Attributes: map[string]Pair{"email": {directory.Text("x"), directory.Text("y")}}}
	must(t, db.SaveLinks(ctx, changed))
	got, err := db.LinkBySource(ctx, staff, "s1")
	must(t, err)
	if diff := cmp.Diff(changed, got); diff != "" {
		t.Error(diff)
	}
	other, err := db.LinkBySource(ctx, staff, "s2")
	must(t, err)
	if diff := cmp.Diff(newLink("s2", "t2"), other); diff != "" {
		t.Errorf("the other link changed: %s", diff)
	}
	if n, _, err := db.LinkCount(ctx, staff); n != 2 || err != nil {
		t.Errorf("%d links, %v", n, err)
	}
}

func TestANewLinkIsDatedNow(t *testing.T) {
	ctx, db := context.Background(), open(t)
	must(t, db.SaveLinks(ctx, Link{Sync: staff, LinkHead: LinkHead{SourceID: "s", TargetID: "t"}}))
	if link, err := db.LinkBySource(ctx, staff, "s"); err != nil || !link.CreatedAt.Equal(start) {
		t.Errorf("%v, %v", link.CreatedAt, err)
	}
}

func TestALinkInTheWayIsNamedWithAllAccounts(t *testing.T) {
	ctx, db := context.Background(), open(t)
	must(t, db.SaveLinks(ctx, newLink("s1", "t1")))
	for name, link := range map[string]Link{"same target": newLink("s2", "t1"), "same source": newLink("s1", "t2")} {
		t.Run(name, func(t *testing.T) {
			err := db.SaveLinks(ctx, newLink("s3", "t3"), link)
			wantIs(t, err, ErrLinked)
			for _, text := range []string{
				staff, `"s1" (label of s1)`, `"t1" (label of t1)`, `"` + link.SourceID + `" (label of ` + link.SourceID + `)`,
				`"` + link.TargetID + `" (label of ` + link.TargetID + `)`, "unlink",
			} {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("error %q does not say %q", err, text)
				}
			}
			if n, _, err := db.LinkCount(ctx, staff); n != 1 || err != nil {
				t.Errorf("%d links, %v", n, err)
			}
		})
	}
	// The same pair of accounts is free in another sync.
	other := newLink("s2", "t1")
	other.Sync = "other"
	must(t, db.SaveLinks(ctx, other))
}

func TestALinkNeedsASyncAndTwoAccounts(t *testing.T) {
	ctx, db := context.Background(), open(t)
	for _, link := range []Link{newLink("", "t"), newLink("s", ""), {LinkHead: LinkHead{SourceID: "s", TargetID: "t"}}} {
		if err := db.SaveLinks(ctx, link); err == nil {
			t.Errorf("%+v was saved", link.LinkHead)
		}
	}
	must(t, db.SaveLinks(ctx))
}

func TestTheWalkGoesInByteOrderOfSourceIDs(t *testing.T) {
	ctx, db := context.Background(), open(t)
	ids := []string{"b", "a", "B", "10", "9", "ä", "a b", "\xff", "日本", "a\x00b"}
	for _, id := range ids {
		must(t, db.SaveLinks(ctx, newLink(id, "t-"+id)))
		other := newLink(id, "t-"+id)
		other.Sync = "other"
		must(t, db.SaveLinks(ctx, other))
	}
	var got []string
	must(t, db.Links(ctx, staff, func(head LinkHead) error {
		got = append(got, head.SourceID)
		if diff := cmp.Diff(newLink(head.SourceID, "t-"+head.SourceID).LinkHead, head); diff != "" {
			t.Error(diff)
		}
		return nil
	}))
	slices.Sort(ids)
	if diff := cmp.Diff(ids, got); diff != "" {
		t.Error(diff)
	}
	must(t, db.Links(ctx, "unheard of", func(LinkHead) error { return errors.New("called") }))
}

func TestTheWalkMayReadAndWriteAndStop(t *testing.T) {
	ctx, db := context.Background(), open(t)
	must(t, db.SaveLinks(ctx, newLink("a", "ta"), newLink("b", "tb"), newLink("c", "tc")))
	stop := errors.New("enough")
	var seen []string
	err := db.Links(ctx, staff, func(head LinkHead) error {
		seen = append(seen, head.SourceID)
		if _, err := db.LinkBySource(ctx, staff, head.SourceID); err != nil {
			return err
		}
		if head.SourceID == "b" {
			return stop
		}
		return db.SaveLinks(ctx, newLink(head.SourceID+"+", "t+"+head.SourceID))
	})
	wantIs(t, err, stop)
	if diff := cmp.Diff([]string{"a", "b"}, seen); diff != "" {
		t.Error(diff)
	}
}

func TestMarksOfBeingInStepChangeNothingElse(t *testing.T) {
	ctx, db := context.Background(), open(t)
	want := newLink("s1", "t1")
	must(t, db.SaveLinks(ctx, want, newLink("s2", "t2")))
	want.SourceHash, want.TargetHash, want.Rules = 11, 12, "r2"
	must(t, db.MarkInStep(ctx, staff, "r2", InStep{"s1", 11, 12}))
	got, err := db.LinkBySource(ctx, staff, "s1")
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	wantIs(t, db.MarkInStep(ctx, staff, "r3", InStep{"s1", 99, 99}, InStep{"nobody", 1, 1}), ErrNotFound)
	if got, err = db.LinkBySource(ctx, staff, "s1"); err != nil || got.SourceHash != 11 || got.Rules != "r2" {
		t.Errorf("half of a refused call was kept: %d %s, %v", got.SourceHash, got.Rules, err)
	}
}

func TestLinksAreCountedWithThoseThatAreHeld(t *testing.T) {
	ctx, db := context.Background(), open(t)
	links := []Link{newLink("s1", "t1"), newLink("s2", "t2"), newLink("s3", "t3")}
	links[0].Claim, links[1].Claim, links[2].Claim = Held, Released, Held
	must(t, db.SaveLinks(ctx, links...))
	if all, held, err := db.LinkCount(ctx, staff); all != 3 || held != 2 || err != nil {
		t.Errorf("%d links, %d held, %v", all, held, err)
	}
}

func TestManyLinksAtOnce(t *testing.T) {
	ctx, db := context.Background(), open(t)
	odd := newLink(`quo"ted, ü`, "t3")
	must(t, db.SaveLinks(ctx, newLink("s1", "t1"), newLink("s2", "t2"), odd))
	got, err := db.LinksBySource(ctx, staff, "s2", "nobody", odd.SourceID)
	must(t, err)
	if diff := cmp.Diff(map[string]Link{"s2": newLink("s2", "t2"), odd.SourceID: odd}, got); diff != "" {
		t.Error(diff)
	}
	if got, err = db.LinksBySource(ctx, "no such sync", "s1"); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestDeletingALink(t *testing.T) {
	ctx, db := context.Background(), open(t)
	must(t, db.SaveLinks(ctx, newLink("s1", "t1"), newLink("s2", "t2")))
	must(t, db.DeleteLink(ctx, staff, "s1"))
	wantIs(t, db.DeleteLink(ctx, staff, "s1"), ErrNotFound)
	wantIs(t, db.DeleteLink(ctx, "unheard of", "s1"), ErrNotFound)
	_, err := db.LinkBySource(ctx, staff, "s1")
	wantIs(t, err, ErrNotFound)
	_, err = db.LinkByTarget(ctx, "unheard of", "t1")
	wantIs(t, err, ErrNotFound)
	var details int
	must(t, db.reader.QueryRow("SELECT count(*) FROM link_details").Scan(&details))
	if details != 1 {
		t.Errorf("%d details left for one link", details)
	}
	must(t, db.SaveLinks(ctx, newLink("s9", "t1")))
}

func TestWhichSyncsHaveLinks(t *testing.T) {
	ctx, db := context.Background(), open(t)
	for _, place := range []struct{ sync, directory, target string }{
		{"zeta", "website", "t1"}, {"alpha", "website", "t1"}, {"beta", "shop", "t1"}, {"gamma", "website", "t2"},
	} {
		link := newLink("s1", place.target)
		link.Sync, link.TargetDirectory = place.sync, place.directory
		must(t, db.SaveLinks(ctx, link))
	}
	syncs, err := db.LinkedSyncs(ctx)
	must(t, err)
	slices.SortFunc(syncs, func(a, b LinkedSync) int { return strings.Compare(a.Name, b.Name) })
	want := []LinkedSync{{"alpha", "website"}, {"beta", "shop"}, {"gamma", "website"}, {"zeta", "website"}}
	if diff := cmp.Diff(want, syncs); diff != "" {
		t.Error(diff)
	}
	if n, err := db.DeleteLinks(ctx, "alpha"); n != 1 || err != nil {
		t.Errorf("%d links forgotten, %v", n, err)
	}
	if n, err := db.DeleteLinks(ctx, "unheard of"); n != 0 || err != nil {
		t.Errorf("%d links forgotten, %v", n, err)
	}
	if syncs, err = db.LinkedSyncs(ctx); len(syncs) != 3 || err != nil {
		t.Errorf("%v, %v", syncs, err)
	}
	var details int
	must(t, db.reader.QueryRow("SELECT count(*) FROM link_details").Scan(&details))
	if details != 3 {
		t.Errorf("%d details left for three links", details)
	}
}

func TestFindingALink(t *testing.T) {
	ctx, db := context.Background(), open(t)
	anna, zoe := newLink("s1", "41"), newLink("s2", "42")
	anna.SourceLabel, anna.TargetLabel = "anna@example.com", "Anna"
	zoe.SourceLabel, zoe.TargetLabel = "ZOË", "41%"
	other := newLink("s1", "7")
	other.Sync, other.SourceLabel = "other", "anna"
	must(t, db.SaveLinks(ctx, anna, zoe, other, Link{Sync: staff, LinkHead: LinkHead{SourceID: "s3", TargetID: "43"}}))
	for _, c := range []struct {
		sync, who string
		want      []string
	}{
		{staff, "s1", []string{"41"}},
		{staff, "41", []string{"41"}},
		{staff, "ANNA", []string{"41"}},
		{staff, "Anna@Example.com", []string{"41"}},
		{staff, "zoë", []string{"42"}},
		{staff, "S1", nil},
		{staff, "ann%", nil},
		{staff, "", nil},
		{"", "anna", []string{"41", "7"}},
		{"unheard of", "anna", nil},
	} {
		links, err := db.FindLinks(ctx, c.sync, c.who)
		must(t, err)
		var got []string
		for _, link := range links {
			got = append(got, link.TargetID)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q in %q: %s", c.who, c.sync, diff)
		}
	}
}

func TestADamagedBaseIsAnErrorThatNamesTheAccount(t *testing.T) {
	ctx, db := context.Background(), open(t)
	must(t, db.SaveLinks(ctx, newLink("s1", "t1")))
	must(t, db.write(ctx, 1, func(t *tx) error {
		_, err := t.exec("UPDATE link_details SET base = substr(base, 1, length(base) - 1)")
		return err
	}))
	_, err := db.LinkBySource(ctx, staff, "s1")
	wantIs(t, err, ErrDamaged)
	wantIs(t, err, directory.ErrCorrupt)
	if !strings.Contains(err.Error(), "s1") {
		t.Error(err)
	}
	must(t, db.Links(ctx, staff, func(LinkHead) error { return nil }))
}

func TestAnyBaseSurvivesItsEncoding(t *testing.T) {
	value := rapid.Custom(func(t *rapid.T) directory.Value {
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			return directory.Value{}
		case 1:
			return directory.Bool(rapid.Bool().Draw(t, "bool"))
		case 2:
			return directory.Number(rapid.Float64().Draw(t, "number"))
		case 3:
			return directory.List(rapid.SliceOf(rapid.String()).Draw(t, "list")...)
		default:
			return directory.Text(rapid.String().Draw(t, "text"))
		}
	})
	pair := rapid.Custom(func(t *rapid.T) Pair {
		one := value.Draw(t, "source")
		if rapid.Bool().Draw(t, "same") {
			return Pair{one, one}
		}
		return Pair{one, value.Draw(t, "target")}
	})
	rapid.Check(t, func(t *rapid.T) {
		base := Base{
			Attributes:   rapid.MapOf(rapid.String(), pair).Draw(t, "attributes"),
			Groups:       rapid.SliceOf(rapid.String()).Draw(t, "groups"),
			SourceStatus: directory.Status(rapid.IntRange(0, 2).Draw(t, "source status")),
			TargetStatus: directory.Status(rapid.IntRange(0, 2).Draw(t, "target status")),
		}
		got, err := decodeBase(base.appendBinary(nil))
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(base.Groups)
		if len(base.Groups) == 0 {
			base.Groups = nil
		}
		if diff := cmp.Diff(base, got); diff != "" {
			t.Fatal(diff)
		}
	})
}
