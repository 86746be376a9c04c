<?php
// Mails are written to a file instead of being sent, and the user meta named in the environment is open to the REST API.
function wp_mail($to, $subject, $message, $headers = '', $attachments = [])
{
    $mail = ['to' => implode(', ', (array) $to), 'subject' => $subject, 'message' => $message];
    file_put_contents(ABSPATH . 'mails.jsonl', json_encode($mail, JSON_INVALID_UTF8_SUBSTITUTE) . "\n", FILE_APPEND | LOCK_EX);
    return true;
}
add_action('init', function () {
    foreach (array_filter(explode(',', getenv('ROLLCALL_SITE_META'))) as $key) {
        register_meta('user', $key, ['type' => 'string', 'single' => true, 'show_in_rest' => true]);
    }
});
