package cognito

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

var fakeCalls = map[string]func(*fake, fakeRequest) (any, *refusalOf){
	"DescribeUserPool": (*fake).describePool, "ListUsers": (*fake).listUsers, "ListUsersInGroup": (*fake).listUsersInGroup,
	"ListGroups": (*fake).listGroups, "AdminListGroupsForUser": (*fake).listGroupsForUser, "AdminGetUser": (*fake).getUser,
	"AdminCreateUser": (*fake).createUser, "AdminUpdateUserAttributes": (*fake).updateUser, "AdminEnableUser": (*fake).enableUser,
	"AdminDisableUser": (*fake).disableUser, "AdminDeleteUser": (*fake).deleteUser, "AdminSetUserPassword": (*fake).setPassword,
	"AdminAddUserToGroup": (*fake).addToGroup, "AdminRemoveUserFromGroup": (*fake).removeFromGroup, "CreateGroup": (*fake).createGroup,
}

type object = map[string]any

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func (u *fakeUser) json(attributes string) object {
	list := []object{{"Name": sub, "Value": u.sub}}
	for name, value := range u.attributes {
		list = append(list, object{"Name": name, "Value": value})
	}
	return object{
		"Username": u.username, "Enabled": u.enabled, "UserStatus": u.status, "UserCreateDate": seconds(u.created),
		"UserLastModifiedDate": seconds(u.modified), attributes: list,
	}
}

func (f *fake) describePool(fakeRequest) (any, *refusalOf) {
	var schema []object
	for name, a := range f.schema {
		schema = append(schema, object{"Name": name, "Mutable": a.mutable, "Required": a.required, "AttributeDataType": "String"})
	}
	pool := object{
		"Id": fakePool, "Name": "people", "EstimatedNumberOfUsers": len(f.users) * 9 / 10, "SchemaAttributes": schema,
		"UserAttributeUpdateSettings": object{"AttributesRequireVerificationBeforeUpdate": f.verify}, "LambdaConfig": f.triggers,
	}
	switch f.signIn {
	case byEmail:
		pool["UsernameAttributes"] = []string{email}
	case byPhone:
		pool["UsernameAttributes"] = []string{phone}
	case byAlias:
		pool["AliasAttributes"] = []string{email, phone}
	}
	return object{"UserPool": pool}, nil
}

// window cuts a page out of a list of keys. Every third page is empty, every fourth is short, and each token is good only
// with the parameters it was given for.
func (f *fake) window(keys []string, request fakeRequest, token string) (from, to int, next string, fault *refusalOf) {
	size := 60
	if request.Limit != nil && *request.Limit > 0 {
		size = *request.Limit
	}
	parameters := fmt.Sprint(size, request.Filter, request.GroupName, request.Username, request.AttributesToGet)
	if token != "" {
		var parts [2]string
		raw, err := base64.URLEncoding.DecodeString(token)
		if err != nil || json.Unmarshal(raw, &parts) != nil || parts[1] != parameters {
			return 0, 0, "", refuse("InvalidParameterException", "Paging Marker is invalid")
		}
		from, _ = slices.BinarySearch(keys, parts[0])
	}
	f.page++
	switch {
	case f.whole:
	case f.page%3 == 0:
		size = 0
	case f.page%4 == 0:
		size = (size + 1) / 2
	}
	to = min(from+size, len(keys))
	if to == len(keys) && (size > 0 || from < to || f.page%2 == 0) {
		return from, to, "", nil
	}
	key := "~" // after all, where the last page is an empty one
	if to < len(keys) {
		key = keys[to]
	}
	raw, _ := json.Marshal([3]string{key, parameters, fmt.Sprint(f.page)})
	return from, to, base64.URLEncoding.EncodeToString(raw), nil
}

func (f *fake) listUsers(request fakeRequest) (any, *refusalOf) {
	var shown []*fakeUser
	for _, u := range f.users {
		if u.lists > 0 {
			u.lists--
			continue
		}
		match, fault := u.matches(request.Filter)
		if fault != nil {
			return nil, fault
		}
		if match {
			shown = append(shown, u)
		}
	}
	page, next, fault := f.userPage(shown, request, request.PaginationToken)
	if fault != nil {
		return nil, fault
	}
	for _, u := range page {
		for _, name := range request.AttributesToGet {
			if _, ok := u.attributes[name]; !ok && name != sub {
				return nil, refuse("InvalidParameterException", "One or more requested attributes do not exist.")
			}
		}
	}
	return listing("Users", "PaginationToken", page, next), nil
}

func (f *fake) userPage(shown []*fakeUser, request fakeRequest, token string) ([]*fakeUser, string, *refusalOf) {
	keys := make([]string, len(shown))
	for i, u := range shown {
		keys[i] = u.sub
	}
	from, to, next, fault := f.window(keys, request, token)
	if fault != nil {
		return nil, "", fault
	}
	return shown[from:to], next, nil
}

func listing(name, tokenName string, users []*fakeUser, next string) object {
	list := []object{}
	for _, u := range users {
		list = append(list, u.json("Attributes"))
	}
	out := object{name: list}
	if next != "" {
		out[tokenName] = next
	}
	return out
}

var filterForm = regexp.MustCompile(`^\s*([\w:]+)\s*(=|\^=)\s*"((?:[^"\\]|\\.)*)"\s*$`)

func (u *fakeUser) matches(filter string) (bool, *refusalOf) {
	if filter == "" {
		return true, nil
	}
	if utf8.RuneCountInString(filter) > 256 {
		return false, refuse("InvalidParameterException", "1 validation error detected: Value at 'filter' failed to satisfy constraint: Member must have length less than or equal to 256")
	}
	parts := filterForm.FindStringSubmatch(filter)
	if parts == nil {
		return false, refuse("InvalidParameterException", "Error while parsing filter: %s", filter)
	}
	value := regexp.MustCompile(`\\(.)`).ReplaceAllString(parts[3], "$1")
	held := u.attributes[parts[1]]
	switch parts[1] {
	case "username":
		held = u.username
	case sub:
		held = u.sub
	case "email", "phone_number", "name", "given_name", "family_name", "preferred_username":
	default:
		return false, refuse("InvalidParameterException", "Invalid search attribute: %s", parts[1])
	}
	if parts[2] == "^=" {
		return strings.HasPrefix(held, value), nil
	}
	return held == value, nil
}

func (f *fake) listUsersInGroup(request fakeRequest) (any, *refusalOf) {
	members, ok := f.members[request.GroupName]
	if !ok {
		return nil, refuse("ResourceNotFoundException", "Group not found.")
	}
	var shown []*fakeUser
	for _, u := range f.users {
		if members[u.sub] {
			shown = append(shown, u)
		}
	}
	page, next, fault := f.userPage(shown, request, request.NextToken)
	return listing("Users", "NextToken", page, next), fault
}

func (f *fake) groupPage(names []string, request fakeRequest) (any, *refusalOf) {
	slices.Sort(names)
	from, to, next, fault := f.window(names, request, request.NextToken)
	if fault != nil {
		return nil, fault
	}
	list := []object{}
	for _, name := range names[from:to] {
		list = append(list, object{"GroupName": name, "UserPoolId": fakePool, "CreationDate": seconds(f.clock())})
	}
	out := object{"Groups": list}
	if next != "" {
		out["NextToken"] = next
	}
	return out, nil
}

func (f *fake) listGroups(request fakeRequest) (any, *refusalOf) {
	return f.groupPage(slices.Clone(f.groups), request)
}

func (f *fake) listGroupsForUser(request fakeRequest) (any, *refusalOf) {
	u, fault := f.user(request.Username)
	if fault != nil {
		return nil, fault
	}
	var names []string
	for name, members := range f.members {
		if members[u.sub] {
			names = append(names, name)
		}
	}
	return f.groupPage(names, request)
}

// user finds whom a single call is about: by username, by alias, or by the sub where names are generated.
func (f *fake) user(name string) (*fakeUser, *refusalOf) {
	for _, u := range f.users {
		same := u.username == name || !f.strict && strings.EqualFold(u.username, name)
		switch f.signIn {
		case byAlias:
			for attribute, mark := range marks {
				same = same || u.attributes[mark] == "true" && strings.EqualFold(u.attributes[attribute], name)
			}
		case byEmail:
			same = same || strings.EqualFold(u.attributes[email], name)
		case byPhone:
			same = same || u.attributes[phone] == name
		}
		if same {
			return u, nil
		}
	}
	return nil, refuse("UserNotFoundException", "User does not exist.")
}

func (f *fake) getUser(request fakeRequest) (any, *refusalOf) {
	u, fault := f.user(request.Username)
	if fault != nil {
		return nil, fault
	}
	return u.json("UserAttributes"), nil
}

func (f *fake) createUser(request fakeRequest) (any, *refusalOf) {
	taken, _ := f.user(request.Username)
	if request.MessageAction == "RESEND" {
		if taken == nil {
			return nil, refuse("UserNotFoundException", "User does not exist.")
		}
		f.mails++
		return object{"User": taken.json("Attributes")}, nil
	}
	attributes := map[string]string{}
	for _, a := range request.UserAttributes {
		attributes[a.Name] = a.Value
	}
	switch {
	case taken != nil && f.signIn == byEmail:
		return nil, refuse("UsernameExistsException", "An account with the given email already exists.")
	case taken != nil:
		return nil, refuse("UsernameExistsException", "User account already exists")
	case f.signIn == byEmail && !strings.Contains(request.Username, "@"):
		return nil, refuse("InvalidParameterException", "Username should be an email.")
	case f.signIn == byPhone && !isPhone(request.Username):
		return nil, refuse("InvalidParameterException", "Username should be a phone number.")
	case f.signIn == byAlias && strings.Contains(request.Username, "@"):
		return nil, refuse("InvalidParameterException", "Username cannot be of email format, since user pool is configured for email alias.")
	case !isUsername(request.Username):
		return nil, refuse("InvalidParameterException", "1 validation error detected: Value at 'username' failed to satisfy constraint")
	}
	if fault := f.fit(attributes, true); fault != nil {
		return nil, fault
	}
	for name, mark := range marks {
		if f.signIn == byAlias && f.holder(name, attributes[name], "") != nil && attributes[mark] == "true" && !request.ForceAliasCreation {
			return nil, refuse("AliasExistsException", "An account with the %s already exists.", name)
		}
	}
	if request.MessageAction != "SUPPRESS" {
		f.mails++
	}
	return object{"User": f.insert(request.Username, attributes).json("Attributes")}, nil
}

// fit refuses attributes as the schema does.
func (f *fake) fit(attributes map[string]string, creating bool) *refusalOf {
	for name, value := range attributes {
		held, known := f.schema[name]
		switch {
		case !known:
			return refuse("InvalidParameterException", "Attributes did not conform to the schema: %s: Attribute does not exist in the schema.\n", name)
		case !held.mutable && !creating || name == sub:
			return refuse("InvalidParameterException", "user.%s: Attribute cannot be updated.\n", name)
		case utf8.RuneCountInString(value) > 2048:
			return refuse("InvalidParameterException", "1 validation error detected: Value at 'userAttributes' failed to satisfy constraint: Member must have length less than or equal to 2048")
		case name == phone && value != "" && !isPhone(value):
			return refuse("InvalidParameterException", "Invalid phone number format.")
		case name == email && value != "" && !strings.Contains(value, "@"):
			return refuse("InvalidParameterException", "Invalid email address format.")
		}
	}
	return nil
}

// marks are what says that an address or number is verified.
var marks = map[string]string{email: emailVerified, phone: phoneVerified}

// holder returns the other user who signs in with an address or number.
func (f *fake) holder(name, value, but string) *fakeUser {
	for _, u := range f.users {
		signsIn := f.signIn == byEmail && name == email || f.signIn == byPhone && name == phone || f.signIn == byAlias && u.attributes[marks[name]] == "true"
		if value != "" && u.sub != but && strings.EqualFold(u.attributes[name], value) && signsIn {
			return u
		}
	}
	return nil
}

func (f *fake) updateUser(request fakeRequest) (any, *refusalOf) {
	u, fault := f.user(request.Username)
	if fault != nil {
		return nil, fault
	}
	attributes := map[string]string{}
	for _, a := range request.UserAttributes {
		attributes[a.Name] = a.Value
	}
	if fault := f.fit(attributes, false); fault != nil {
		return nil, fault
	}
	for name, mark := range marks {
		value, moves := attributes[name]
		if !moves {
			continue
		}
		if other := f.holder(name, value, u.sub); other != nil && f.signIn != byAlias {
			return nil, refuse("AliasExistsException", "An account with the %s already exists.", name)
		} else if other != nil && attributes[mark] == "true" {
			other.attributes[mark] = "false" // the alias moves, and nobody is told
		}
		if value == "" || attributes[mark] == "true" {
			continue
		}
		f.mails++
		if slices.Contains(f.verify, name) {
			delete(attributes, name)
			delete(attributes, mark)
		} else {
			attributes[mark] = "false"
		}
	}
	for name, value := range attributes {
		if u.attributes[name] = value; value == "" {
			delete(u.attributes, name)
		}
	}
	u.modified = u.modified.Add(time.Second)
	return object{}, nil
}

func (f *fake) enableUser(request fakeRequest) (any, *refusalOf)  { return f.enable(request, true) }
func (f *fake) disableUser(request fakeRequest) (any, *refusalOf) { return f.enable(request, false) }

func (f *fake) enable(request fakeRequest, on bool) (any, *refusalOf) {
	u, fault := f.user(request.Username)
	if fault != nil {
		return nil, fault
	}
	u.enabled, u.modified = on, u.modified.Add(time.Second)
	return object{}, nil
}

func (f *fake) deleteUser(request fakeRequest) (any, *refusalOf) {
	u, fault := f.user(request.Username)
	if fault != nil {
		return nil, fault
	}
	f.users = slices.DeleteFunc(f.users, func(other *fakeUser) bool { return other == u })
	for _, members := range f.members {
		delete(members, u.sub)
	}
	return object{}, nil
}

func (f *fake) setPassword(request fakeRequest) (any, *refusalOf) {
	u, fault := f.user(request.Username)
	switch {
	case fault != nil:
		return nil, fault
	case len(request.Password) > 99 || !strings.ContainsAny(request.Password, "!") || !strings.ContainsAny(request.Password, "a"):
		return nil, refuse("InvalidPasswordException", "Password does not conform to policy")
	}
	u.passwords = append(u.passwords, request.Password)
	if request.Permanent {
		u.status = "CONFIRMED"
	}
	return object{}, nil
}

func (f *fake) addToGroup(request fakeRequest) (any, *refusalOf) { return f.member(request, true) }

func (f *fake) removeFromGroup(request fakeRequest) (any, *refusalOf) {
	return f.member(request, false)
}

func (f *fake) member(request fakeRequest, in bool) (any, *refusalOf) {
	u, fault := f.user(request.Username)
	if fault != nil {
		return nil, fault
	}
	members, ok := f.members[request.GroupName]
	if !ok {
		return nil, refuse("ResourceNotFoundException", "Group not found.")
	}
	if members[u.sub] = in; !in {
		delete(members, u.sub)
	}
	return object{}, nil
}

func (f *fake) createGroup(request fakeRequest) (any, *refusalOf) {
	switch {
	case !isUsername(request.GroupName):
		return nil, refuse("InvalidParameterException", "1 validation error detected: Value at 'groupName' failed to satisfy constraint")
	case f.members[request.GroupName] != nil:
		return nil, refuse("GroupExistsException", "A group with the name already exists.")
	case len(f.groups) >= 10_000:
		return nil, &refusalOf{http.StatusBadRequest, "LimitExceededException", "Group limit exceeded"}
	}
	f.groups = append(f.groups, request.GroupName)
	f.members[request.GroupName] = map[string]bool{}
	return object{"Group": object{"GroupName": request.GroupName, "UserPoolId": fakePool}}, nil
}
