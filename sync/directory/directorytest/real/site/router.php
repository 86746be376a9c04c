<?php
// Sends every address that is no file to WordPress. The site's folder is made of links to one shared tree, so it has to be
// named before WordPress takes the folder of its own files for it.
define('ABSPATH', $_SERVER['DOCUMENT_ROOT'] . '/');
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path !== '/' && (is_file(ABSPATH . $path) || is_file(ABSPATH . $path . '/index.php'))) {
    return false;
}
$_SERVER['SCRIPT_NAME'] = $_SERVER['PHP_SELF'] = '/index.php';
require ABSPATH . 'index.php';
