<?php
// Installs a site into an empty database and prints the passwords of its administrator.
define('ABSPATH', __DIR__ . '/');
define('WP_INSTALLING', true);
$_SERVER['HTTP_HOST'] = 'site.example.com';
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
require ABSPATH . 'wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
$password = bin2hex(random_bytes(12));
wp_install('Rollcall test', 'admin', 'admin@example.com', true, '', $password);
update_option('permalink_structure', '/%postname%/');
$application = WP_Application_Passwords::create_new_application_password(1, ['name' => 'rollcall']);
if (is_wp_error($application)) {
    fwrite(STDERR, $application->get_error_message());
    exit(1);
}
echo json_encode(['password' => $password, 'application' => $application[0]]);
