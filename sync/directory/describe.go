package directory

// Description tells what a directory is and can hold. All fields are fixed from Open on.
type Description struct {
	// Type is the configured kind ("keycloak"), Name the configured name ("staff").
	Type, Name string
	// Identity tells one place from another beyond its name (address and realm), so that a configuration pointed at
	// another server is noticed before anything is compared with old links.
	Identity string

	// Attributes are the attributes that the directory has, in the order in which people want to see them.
	Attributes []AttributeSpec
	// OpenAttributes is set where any further custom attribute can be read and written.
	OpenAttributes bool

	// NoStatus is set where the directory tells no status and everybody counts as active (a file without such a column).
	NoStatus bool
	// GroupsInline is set where listed accounts carry their groups.
	GroupsInline bool
	// GroupsLostOnDeactivation is set where deactivating an account takes its groups away, so that the engine must
	// remember them and hand them back on activation.
	GroupsLostOnDeactivation bool

	// Changes says what a ChangeLister tells; zero for a directory that is none.
	Changes ChangeScope

	// PageSize is the number of accounts of one page when the request names none, and the size by which requests
	// are estimated.
	PageSize int
	// ReadConcurrency and WriteConcurrency are how many calls the directory bears side by side; 0 means 1.
	ReadConcurrency, WriteConcurrency int
	// BulkSize is the most accounts one BulkCreator call takes.
	BulkSize int

	// Notices lists the mails that the directory sends to people and that Rollcall cannot switch off.
	Notices []Notice
}

// Notice is one mail that a change causes.
type Notice struct {
	// On is "create", "deactivate", "activate", "delete" or "update:<attribute>".
	On string
	// Text says who gets what, for the plan.
	Text string
}

// Attribute returns the spec of one attribute; a custom attribute of an open directory has a plain writable text spec.
func (d Description) Attribute(name string) (AttributeSpec, bool) {
	for _, spec := range d.Attributes {
		if spec.Name == name {
			return spec, true
		}
	}
	if d.OpenAttributes && len(name) > len(CustomPrefix) && name[:len(CustomPrefix)] == CustomPrefix {
		return AttributeSpec{Name: name, Kind: KindText, Writable: true}, true
	}
	return AttributeSpec{}, false
}

// AttributeSpec describes one attribute of one directory.
type AttributeSpec struct {
	Name string
	Kind Kind
	// Writable is set where Updater and Creator take it, CreateOnly where Creator alone does (a WordPress username); both
	// may be set for the latter.
	Writable, CreateOnly bool
	// Required is set where an account cannot be created without it.
	Required bool
	// Unique is set where no two accounts may share a value, compared without case where FoldCase is set and without
	// accents where FoldAccents is.
	Unique bool
	// FoldCase is set where the directory takes "Anna" and "anna" for the same value (it may store either).
	FoldCase bool
	// FoldAccents is set where it takes "é" and "e" for the same value.
	FoldAccents bool
	// MaxLength is the most characters it takes; 0 means no known limit.
	MaxLength int
	// Searchable is set where Finder takes it.
	Searchable bool
	// Doc is one line for the administrator.
	Doc string
}

// Creatable reports whether a new account can be given the attribute.
func (s AttributeSpec) Creatable() bool { return s.Writable || s.CreateOnly }
