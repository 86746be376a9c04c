// Package rig is what the starter of real servers and the tests that use them share: the names of the environment variables
// between them, and server processes that never outlive their run.
package rig

// The environment variables that the starter sets and the tests read. Each part has, beside its address, a variable with
// MissingSuffix that says why the part could not be started.
const (
	// RunVariable is the folder of this run; servers started in it are found and stopped when it ends.
	RunVariable = "ROLLCALL_TEST_RUN"
	// KeycloakVariable is the address of a Keycloak server; user and password are those of its administrator.
	KeycloakVariable         = "ROLLCALL_TEST_KEYCLOAK"
	KeycloakUserVariable     = "ROLLCALL_TEST_KEYCLOAK_USER"
	KeycloakPasswordVariable = "ROLLCALL_TEST_KEYCLOAK_PASSWORD"
	// MariaDBVariable is the host and port of a MariaDB server; user and password are those of its administrator.
	MariaDBVariable         = "ROLLCALL_TEST_MARIADB"
	MariaDBUserVariable     = "ROLLCALL_TEST_MARIADB_USER"
	MariaDBPasswordVariable = "ROLLCALL_TEST_MARIADB_PASSWORD"
	// WordPressVariable is the folder of an unpacked WordPress; nothing is written to it.
	WordPressVariable = "ROLLCALL_TEST_WORDPRESS"
	// CognitoVariable is the address of a server that plays Amazon Cognito. It takes any key.
	CognitoVariable = "ROLLCALL_TEST_COGNITO"

	MissingSuffix = "_MISSING"
)
