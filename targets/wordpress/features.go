package wordpress

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// features are what the site says of its users route (OPTIONS /wp/v2/users): what is registered and what this version can
// do. There is no other way to learn the version over the API.
type features struct {
	// batch is set where users take part in batch/v1: since 6.6.
	batch bool
	// meta holds the type of each registered meta key.
	meta map[string]string
	// locales are the installed languages.
	locales []string
	// roles are the site's roles, where a plugin makes the schema tell them; WordPress itself does not.
	roles []string
	// allow are the methods that the service account may use on the route.
	allow string
}

func (s *site) siteFeatures(ctx context.Context, op string) (features, error) {
	return s.features.Get(func() (features, error) {
		k := call{method: http.MethodOptions, route: usersRoute, op: op}
		var route routeData
		a, err := s.client.get(ctx, k, &route)
		if err != nil {
			return features{}, err
		}
		f := route.features()
		f.allow = a.header.Get("Allow")
		return f, nil
	})
}

// routeData is WordPress's users.Description of a route.
type routeData struct {
	Endpoints []struct {
		Methods    []string        `json:"methods"`
		AllowBatch json.RawMessage `json:"allow_batch"`
	} `json:"endpoints"`
	Schema struct {
		Properties map[string]json.RawMessage `json:"properties"`
	} `json:"schema"`
}

func (r routeData) features() features {
	f := features{meta: map[string]string{}}
	for _, endpoint := range r.Endpoints {
		var batch struct {
			V1 bool `json:"v1"`
		}
		// allow_batch is an object where the route takes part, and absent or false elsewhere.
		if slices.Contains(endpoint.Methods, http.MethodPost) && json.Unmarshal(endpoint.AllowBatch, &batch) == nil {
			f.batch = batch.V1
		}
	}
	var meta struct {
		Properties map[string]struct {
			Type any `json:"type"` // a name, or a list of names
		} `json:"properties"`
	}
	// A part of the schema that a plugin has bent is taken as absent.
	if json.Unmarshal(r.Schema.Properties["meta"], &meta) == nil {
		for key, property := range meta.Properties {
			f.meta[key] = firstType(property.Type)
		}
	}
	var enum struct {
		Enum  []string `json:"enum"`
		Items struct {
			Enum []string `json:"enum"`
		} `json:"items"`
	}
	if json.Unmarshal(r.Schema.Properties["locale"], &enum) == nil {
		f.locales = enum.Enum
	}
	enum.Items.Enum = nil
	if json.Unmarshal(r.Schema.Properties["roles"], &enum) == nil {
		f.roles = enum.Items.Enum
	}
	return f
}

func firstType(value any) string {
	switch t := value.(type) {
	case string:
		return t
	case []any:
		for _, item := range t {
			if name, ok := item.(string); ok && name != "null" {
				return name
			}
		}
	}
	return "string"
}

// keys returns the registered meta keys that can be attributes, sorted.
func (f features) keys() []string {
	var keys []string
	for key, kind := range f.meta {
		if kind != "object" {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// metaJSON returns the value in the type that the key is registered with. Empty removes the key.
func metaJSON(kind string, value directory.Value) (any, error) {
	text := value.String()
	switch {
	case value.IsEmpty() && kind == "array":
		return []string{}, nil
	case value.IsEmpty():
		return nil, nil
	case kind == "array":
		return value.Items(), nil
	case kind == "boolean":
		if users.IsTrue(text) {
			return true, nil
		}
		if slices.Contains([]string{"0", "false", "no", "off"}, strings.ToLower(text)) {
			return false, nil
		}
		return nil, fmt.Errorf("%q is neither true nor false", text)
	case kind == "integer" || kind == "number":
		number := json.Number(text)
		if _, err := number.Int64(); err == nil {
			return number, nil
		}
		if _, err := strconv.ParseFloat(text, 64); err != nil || kind == "integer" || !json.Valid([]byte(text)) {
			return nil, fmt.Errorf("%q is no %s", text, kind)
		}
		return number, nil
	case kind == "object":
		return nil, fmt.Errorf("the key holds an object, which no attribute can")
	default:
		return text, nil
	}
}
