package file

import (
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// spellings are the headers that are recognised besides the names of the vocabulary. Case, spaces, hyphens, underscores
// and dots do not count. The README's table is checked against it.
var spellings = map[string][]string{
	directory.ID:            {"User ID", "Account ID", "Object ID", "GUID", "UUID"},
	directory.Username:      {"User", "User Name", "Login", "Login Name", "sAMAccountName", "userPrincipalName", "UPN", "uid", "Benutzername"},
	directory.Email:         {"Mail", "E-Mail", "E-Mail Address", "Email ID", "Work Email", "Primary Email", "Mail Address", "User Email"},
	directory.EmailVerified: {"Mail Verified", "E-Mail Confirmed"},
	directory.Active:        {"Is Active", "Enabled", "Account Enabled", "Status", "Account Status", "User Status", "Employment Status"},
	directory.FirstName:     {"Given Name", "Forename", "First", "Vorname"},
	directory.LastName:      {"Surname", "Family Name", "sn", "Last", "Nachname"},
	directory.DisplayName:   {"Full Name", "Name", "Common Name", "cn"},
	directory.Nickname:      {"Nick"},
	directory.Title:         {"Job Title", "Position"},
	directory.Department:    {"Dept", "Department Name", "Abteilung"},
	directory.Organization:  {"Organisation", "Organization Name", "Company", "Company Name"},
	directory.EmployeeID:    {"Employee Number", "Personnel Number", "Staff ID", "Staff Number", "Personalnummer"},
	directory.Manager:       {"Manager ID", "Supervisor"},
	directory.Phone:         {"Telephone", "Telephone Number", "Phone Number", "Work Phone", "Office Phone", "Business Phone"},
	directory.Mobile:        {"Mobile Phone", "Mobile Number", "Cell", "Cell Phone"},
	directory.Street:        {"Street Address", "Address"},
	directory.City:          {"Town", "Locality"},
	directory.Region:        {"State", "Province"},
	directory.PostalCode:    {"Postcode", "ZIP", "ZIP Code", "PLZ"},
	directory.Country:       {"Country Code", "Country Name"},
	directory.Locale:        {"Language", "Preferred Language"},
	directory.Timezone:      {"Time Zone", "Zone Info"},
	directory.URL:           {"Website", "Web Site", "Homepage", "Profile URL"},
	directory.PhotoURL:      {"Photo", "Picture", "Avatar", "Avatar URL"},
	directory.CreatedAt:     {"Created", "Created On", "Creation Date", "Created Date"},
	directory.UpdatedAt:     {"Updated", "Modified", "Last Modified", "Modified At"},
	directory.LastSignInAt:  {"Last Login", "Last Sign In", "Last Logon", "Last Seen"},
}

// invertedSpellings are headers of columns that say who may not sign in.
var invertedSpellings = []string{"Inactive", "Disabled", "Suspended", "Blocked", "Account Disabled"}

// plain takes out of a header what does not count.
func plain(header string) string {
	return strings.NewReplacer(" ", "", "-", "", "_", "", ".", "", "\u00a0", "").Replace(strings.ToLower(strings.TrimSpace(header)))
}

// recognised maps plain spellings to attributes.
func recognised() map[string]string {
	known := map[string]string{}
	for attribute, list := range spellings {
		known[plain(attribute)] = attribute
		for _, spelling := range list {
			known[plain(spelling)] = attribute
		}
	}
	for _, spelling := range invertedSpellings {
		known[plain(spelling)] = directory.Active
	}
	return known
}

// column is one field that records of the file may have.
type column struct {
	// header is the field's name as the file spells it.
	header string
	// attribute is a name of the vocabulary or a custom one; empty for the column of groups.
	attribute string
	// path leads to the field inside a JSON record.
	path []string
	// inverted is set where the column says who is inactive.
	inverted bool
	// list is set where cells hold several values.
	list bool
}

// layout says what the columns of a file mean.
type layout struct {
	columns []column
	// id, active and groups are the places of these columns; -1 where there is none.
	id, active, groups int
	// kinds are those of the values of JSON fields, by header; nil for CSV.
	kinds map[string]string
}

// attributeColumn returns the place of an attribute, or -1. id and active are none.
func (l *layout) attributeColumn(name string) int {
	if name == directory.ID || name == directory.Active {
		return -1
	}
	return slices.IndexFunc(l.columns, func(c column) bool { return c.attribute == name })
}

func (l *layout) headers() []string {
	names := make([]string, 0, len(l.columns))
	for _, c := range l.columns {
		names = append(names, c.header)
	}
	return names
}

// sameHeader compares as the configuration means it.
func sameHeader(a, b string) bool {
	return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}

// arrange finds out what each column means. line is where the header stands, 0 where the format has none.
func arrange(columns []column, o *options, line int) (layout, error) {
	l := layout{columns: columns, id: -1, active: -1, groups: -1}
	if err := l.configured(o, line); err != nil {
		return l, err
	}
	if err := l.guess(line); err != nil {
		return l, err
	}
	for i := range l.columns {
		c := &l.columns[i]
		if c.attribute == "" && i != l.groups {
			c.attribute = directory.CustomPrefix + customName(*c)
		}
		c.list = slices.ContainsFunc(o.listColumns, func(name string) bool { return sameHeader(name, c.header) })
	}
	return l, l.chooseID(o, line)
}

// customName is what stands after "custom.".
func customName(c column) string {
	name := strings.TrimSpace(c.header)
	if len(c.path) > 0 {
		name = c.path[len(c.path)-1]
	}
	return strings.TrimPrefix(name, directory.CustomPrefix)
}

// configured applies the options that name columns.
func (l *layout) configured(o *options, line int) error {
	find := func(option, header string) (int, error) {
		i := slices.IndexFunc(l.columns, func(c column) bool { return sameHeader(c.header, header) })
		if i < 0 && line > 0 {
			return i, broken(line, "the columns are: "+strings.Join(l.headers(), ", "), "the option %s names the column %q, which the file does not have", option, header)
		}
		return i, nil
	}
	for _, attribute := range slices.Sorted(maps.Keys(o.columns)) {
		i, err := find("columns", o.columns[attribute])
		if err != nil {
			return err
		}
		if i >= 0 {
			l.columns[i].attribute = attribute
			if attribute == directory.Active {
				l.active = i
			}
		}
	}
	for _, name := range o.listColumns {
		if _, err := find("list_columns", name); err != nil {
			return err
		}
	}
	var err error
	if o.activeColumn != "" {
		if l.active, err = find("active_column", o.activeColumn); err != nil {
			return err
		}
		if l.active >= 0 {
			l.columns[l.active].attribute = directory.Active
		}
	}
	if l.active >= 0 {
		l.columns[l.active].inverted = isInverted(l.columns[l.active].header)
	}
	l.groups = slices.IndexFunc(l.columns, func(c column) bool { return sameHeader(c.header, o.groupsColumn) })
	if l.groups < 0 && line > 0 && o.groupsNamed {
		_, err = find("groups_column", o.groupsColumn)
	}
	return err
}

func isInverted(header string) bool {
	return slices.ContainsFunc(invertedSpellings, func(s string) bool { return plain(s) == plain(header) })
}

// guess recognises the headers that no option names. The vocabulary's own word goes before other spellings; two other
// spellings of the same attribute are an error, because either might be meant.
func (l *layout) guess(line int) error {
	known := recognised()
	taken := map[string]int{}
	for i, c := range l.columns {
		if c.attribute != "" {
			taken[c.attribute] = i
		}
	}
	for _, exact := range []bool{true, false} {
		guessed := map[string]int{}
		for i := range l.columns {
			c := &l.columns[i]
			name := plain(lastName(*c))
			attribute, ok := known[name]
			if fixed := fixedPath(c.path); fixed != "" {
				attribute, ok = fixed, true
			}
			if !ok || c.attribute != "" || i == l.groups || (name == plain(attribute)) != exact {
				continue
			}
			if other, twice := guessed[attribute]; twice {
				return broken(line, "say which one is meant: columns: {"+attribute+": "+c.header+"}",
					"the columns %q and %q both look like %s", l.columns[other].header, c.header, attribute)
			}
			if _, ok := taken[attribute]; ok {
				continue
			}
			guessed[attribute], c.attribute = i, attribute
			if attribute == directory.Active {
				l.active, c.inverted = i, isInverted(c.header)
			}
		}
		maps.Copy(taken, guessed)
	}
	return nil
}

func lastName(c column) string {
	if len(c.path) > 0 {
		return c.path[len(c.path)-1]
	}
	return c.header
}

// idCandidates are tried in this order.
var idCandidates = []string{directory.ID, directory.EmployeeID, directory.Username, directory.Email}

// chooseID finds the column that tells accounts apart.
func (l *layout) chooseID(o *options, line int) error {
	if o.idColumn != "" {
		l.id = slices.IndexFunc(l.columns, func(c column) bool { return sameHeader(c.header, o.idColumn) })
		if l.id < 0 && len(l.columns) > 0 {
			return broken(line, "the columns are: "+strings.Join(l.headers(), ", "), "the option id_column names the column %q, which the file does not have", o.idColumn)
		}
		return nil
	}
	for _, candidate := range idCandidates {
		l.id = slices.IndexFunc(l.columns, func(c column) bool { return c.attribute == candidate })
		if l.id >= 0 {
			return nil
		}
	}
	if len(l.columns) == 0 {
		return nil
	}
	return broken(line, "the columns are: "+strings.Join(l.headers(), ", ")+"; set id_column to one whose values never change and are never given to another person",
		"no column for the id of an account was found (id, employee_id, username and email were looked for)")
}
