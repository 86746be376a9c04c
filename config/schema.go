package config

import (
	"encoding/json"
	"fmt"

	"github.com/invopop/jsonschema"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// Schema returns the JSON Schema (draft 2020-12) of a configuration with these types, for editors. It is made from the
// declarations that Load uses; what needs more than one place to judge, such as the name of a directory in a sync, is left
// to `rollcall check`.
func Schema(types []directory.Type) ([]byte, error) {
	l := &loader{config: defaults(), options: Options{Types: types}}
	root := object{l.topKeys()}.schema()
	root.Version = jsonschema.Version
	root.Title = "Rollcall"
	root.Description = "Configuration of Rollcall: directories that hold accounts, and syncs that keep two of them in step."
	sync := rules.NewSync("", "", "")
	root.Definitions = jsonschema.Definitions{"sync": object{syncKeys(&sync)}.schema(), "attribute_rule": ruleSchema()}
	for _, t := range types {
		root.Definitions[definitionName(t)] = typeSchema(t)
	}
	data, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("making the schema: %w", err)
	}
	return append(data, '\n'), nil
}
