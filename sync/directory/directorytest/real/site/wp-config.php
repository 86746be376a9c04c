<?php
// The configuration of a site for one test; what differs from site to site comes from the environment.
define('DB_NAME', getenv('ROLLCALL_SITE_DATABASE'));
define('DB_USER', getenv('ROLLCALL_SITE_USER'));
define('DB_PASSWORD', getenv('ROLLCALL_SITE_PASSWORD'));
define('DB_HOST', getenv('ROLLCALL_SITE_HOST'));
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $purpose) {
    define($purpose . '_KEY', $purpose . getenv('ROLLCALL_SITE_PASSWORD'));
    define($purpose . '_SALT', getenv('ROLLCALL_SITE_PASSWORD') . $purpose);
}
$table_prefix = getenv('ROLLCALL_SITE_PREFIX');
if (PHP_SAPI !== 'cli') {
    // The server finds itself a free port, so the site's address is the one that it is called by.
    define('WP_HOME', 'http://' . $_SERVER['HTTP_HOST']);
    define('WP_SITEURL', WP_HOME);
}
define('WP_ENVIRONMENT_TYPE', 'local'); // application passwords without HTTPS
define('DISABLE_WP_CRON', true);
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
define('WP_DEBUG', false);
require_once ABSPATH . 'wp-settings.php';
