package cognito

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// pool is what matters of the pool's settings.
type pool struct {
	name     string
	users    int // an estimate of Cognito's
	schema   map[string]attribute
	names    []string // UsernameAttributes: what is taken in place of a username
	aliases  []string // AliasAttributes
	verify   []string // what is kept as it was until a new one is verified
	triggers bool     // Lambda functions take part in creations
}

type attribute struct{ mutable, required bool }

// readPool reads the settings. They are kept, because only an administrator changes them; fresh asks again.
func (d *Directory) readPool(ctx context.Context, o op, fresh bool) (*pool, error) {
	d.mu.Lock()
	kept := d.pool
	d.mu.Unlock()
	if kept != nil && !fresh {
		return kept, nil
	}
	o.write = false
	body, err := d.do(ctx, o.does("DescribeUserPool"), func(ctx context.Context) error {
		_, err := d.api.DescribeUserPool(ctx, &api.DescribeUserPoolInput{UserPoolId: &d.id})
		return err
	})
	if err != nil {
		return nil, err
	}
	var answer struct {
		UserPool *struct {
			Name, ID               string
			EstimatedNumberOfUsers int
			SchemaAttributes       []struct {
				Name              string
				Mutable, Required *bool
			}
			UsernameAttributes, AliasAttributes []string
			UserAttributeUpdateSettings         struct{ AttributesRequireVerificationBeforeUpdate []string }
			LambdaConfig                        map[string]json.RawMessage
		}
	}
	if err := d.decode(o, body, &answer); err != nil {
		return nil, err
	}
	if answer.UserPool == nil {
		return nil, d.unreadable(o, errors.New("the answer describes no pool"))
	}
	read := &pool{
		name: answer.UserPool.Name, users: answer.UserPool.EstimatedNumberOfUsers, schema: map[string]attribute{},
		names: answer.UserPool.UsernameAttributes, aliases: answer.UserPool.AliasAttributes,
		verify: answer.UserPool.UserAttributeUpdateSettings.AttributesRequireVerificationBeforeUpdate,
	}
	for _, a := range answer.UserPool.SchemaAttributes {
		read.schema[a.Name] = attribute{mutable: a.Mutable == nil || *a.Mutable, required: aws.ToBool(a.Required)}
	}
	for trigger := range answer.UserPool.LambdaConfig {
		read.triggers = read.triggers || strings.HasPrefix(trigger, "PreSignUp") || strings.HasPrefix(trigger, "CustomEmail") || strings.HasPrefix(trigger, "CustomMessage")
	}
	d.mu.Lock()
	d.pool = read
	d.mu.Unlock()
	return read, nil
}

// kind returns the value that the option sign_in should have.
func (p *pool) kind() string {
	switch {
	case slices.Contains(p.names, email):
		return byEmail
	case slices.Contains(p.names, phone):
		return byPhone
	case len(p.aliases) > 0:
		return byAlias
	default:
		return byUsername
	}
}

// agrees reports whether the pool takes for a username what the option says.
func (p *pool) agrees(signIn string) bool {
	if signIn == byPhone {
		return slices.Contains(p.names, phone)
	}
	return p.kind() == signIn
}

// acceptable refuses attributes that the pool would not take, before anything is sent. Settings in memory that refuse are read
// again: the administrator may just have followed the remedy.
func (d *Directory) acceptable(ctx context.Context, o op, changes map[string]string, creating bool) error {
	var fault error
	for _, fresh := range []bool{false, true} {
		p, err := d.readPool(ctx, o, fresh)
		if err != nil {
			return err
		}
		if fault = d.unfit(o, p, changes, creating); fault == nil {
			return nil
		}
	}
	return fault
}

func (d *Directory) unfit(o op, p *pool, changes map[string]string, creating bool) error {
	if creating && !p.agrees(d.signIn) {
		return d.withOp(o, &directory.Error{
			Kind: directory.Invalid, Err: fmt.Errorf("the pool takes another thing for a username than sign_in: %s says", d.signIn),
			Remedy: "set sign_in to " + p.kind(),
		})
	}
	for _, attribute := range slices.Sorted(maps.Keys(changes)) {
		held, known := p.schema[attribute]
		e := &directory.Error{Kind: directory.Invalid, Attribute: d.names.toVocabulary(attribute)}
		switch {
		case !known && len(p.schema) > 0:
			e.Err, e.Remedy = fmt.Errorf("the pool has no attribute %s", attribute), schemaRemedy
		case known && !held.mutable && !creating:
			e.Err, e.Remedy = fmt.Errorf("the pool lets nobody change %s", attribute), explain("", "cannot be updated")
		default:
			continue
		}
		return d.withOp(o, e)
	}
	return nil
}
