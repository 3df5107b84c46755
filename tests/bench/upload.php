<?php
// upload.php: the least an upload script does: stored under its SHA-256, looked at, entered in a
// catalog. And its listing. The database connection is persistent, the directory in $_SERVER.
$dir = $_SERVER['STORE'];
$db = new PDO("sqlite:$dir/catalog.db", null, null, [PDO::ATTR_PERSISTENT => true, PDO::ATTR_TIMEOUT => 10]);
$db->exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');

function answer(int $status, array $what): never
{
	$text = json_encode($what);
	http_response_code($status);
	header('Content-Type: application/json');
	header('Content-Length: ' . strlen($text));
	echo $text;
	exit;
}

/** [temporary file, SHA-256] of a raw body, hashed while it is written. */
function take_raw(string $dir): array
{
	$path = tempnam($dir, 'tmp');
	$in = fopen('php://input', 'rb');
	$out = fopen($path, 'wb');
	$hash = hash_init('sha256');
	while (($piece = fread($in, 65536)) !== '' && $piece !== false) {
		hash_update($hash, $piece);
		fwrite($out, $piece);
	}
	fclose($out);
	return [$path, hash_final($hash)];
}

if ($_SERVER['REQUEST_METHOD'] === 'GET') {
	$offset = (int)($_GET['offset'] ?? 0);
	$rows = $db->query("SELECT * FROM files ORDER BY id DESC LIMIT 50 OFFSET $offset");
	answer(200, ['files' => $rows->fetchAll(PDO::FETCH_ASSOC)]);
}
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
	[$path, $name] = [$_FILES['file']['tmp_name'], $_FILES['file']['name']];
	$sha256 = hash_file('sha256', $path);
} else {
	[[$path, $sha256], $name] = [take_raw($dir), basename($_SERVER['REQUEST_URI'])];
}
$type = (new finfo(FILEINFO_MIME_TYPE))->file($path);
$size = filesize($path);
rename($path, "$dir/$sha256");
$id = bin2hex(random_bytes(16));
$add = $db->prepare('INSERT INTO files (key, name, size, type, sha256, uploaded_at) VALUES (?, ?, ?, ?, ?, ?)');
$add->execute([$id, $name, $size, $type, $sha256, gmdate('Y-m-d\TH:i:s\Z')]);
answer(201, ['id' => $id, 'name' => $name, 'size' => $size, 'type' => $type, 'sha256' => $sha256]);
