BEGIN TRANSACTION;
CREATE TABLE cached_videos (
    path TEXT PRIMARY KEY NOT NULL,
    job_id TEXT REFERENCES download_jobs (id) ON DELETE SET NULL,
    video_id TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    last_access TEXT NOT NULL,
    pinned INTEGER NOT NULL DEFAULT 0
);
INSERT INTO "cached_videos" VALUES('/videos/v-2/film.mp4','5f7c1b1e-9d7a-4b53-8b3e-0d6f3b8f6a22','v-2',1000,'2024-05-01T10:00:00+00:00',1);
CREATE TABLE conversions (
    job_id TEXT NOT NULL REFERENCES download_jobs (id) ON DELETE CASCADE,
    file_index INTEGER NOT NULL,
    status TEXT NOT NULL,
    progress REAL NOT NULL DEFAULT 0,
    plan TEXT,
    output TEXT,
    error_code TEXT,
    error_message TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    completed_at TEXT, effort TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (job_id, file_index)
) WITHOUT ROWID;
INSERT INTO "conversions" VALUES('5f7c1b1e-9d7a-4b53-8b3e-0d6f3b8f6a22',0,'DONE',100.0,NULL,'/videos/v-2/film.mp4',NULL,NULL,1,'2024-04-30T10:00:00+00:00','2024-04-30T10:10:00+00:00','2024-04-30T10:10:00+00:00','remux','the container does not play');
CREATE TABLE download_jobs (
    id TEXT PRIMARY KEY NOT NULL,
    video_id TEXT NOT NULL,
    torrent_id TEXT NOT NULL,
    status TEXT NOT NULL,
    progress INTEGER NOT NULL,
    download_speed INTEGER NOT NULL,
    eta_seconds INTEGER NOT NULL,
    file_path TEXT,
    error_message TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    completed_at TEXT,
    source TEXT NOT NULL,
    info_hash TEXT NOT NULL,
    info_hash_v2 TEXT,
    name TEXT NOT NULL,
    wish TEXT NOT NULL,
    priority INTEGER NOT NULL,
    position INTEGER NOT NULL,
    detail TEXT NOT NULL,
    blocked_by TEXT,
    total_bytes INTEGER NOT NULL,
    done_bytes INTEGER NOT NULL,
    upload_speed INTEGER NOT NULL,
    uploaded_bytes INTEGER NOT NULL,
    peers INTEGER NOT NULL,
    error_code TEXT,
    attempts INTEGER NOT NULL,
    save_path TEXT NOT NULL,
    selection TEXT NOT NULL,
    max_download_speed INTEGER NOT NULL,
    max_upload_speed INTEGER NOT NULL,
    seeding INTEGER NOT NULL,
    delete_data INTEGER NOT NULL,
    metadata_at TEXT
);
INSERT INTO "download_jobs" VALUES('0b0e6d0a-3c55-4f0e-9c43-6a3f5f2f8f10','v-1','t-1','DOWNLOADING',42,1000,90,NULL,NULL,'2024-05-01T10:00:01+00:00','2024-05-01T10:01:00+00:00',NULL,'magnet:?xt=urn:btih:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',NULL,'It''s a film','RUN',0,1,'','no_peers',1000,420,0,0,0,NULL,1,'/srv/downloads/v-1','["*.mkv", "2"]',-1,-1,0,0,'2024-05-01T10:00:02+00:00');
INSERT INTO "download_jobs" VALUES('5f7c1b1e-9d7a-4b53-8b3e-0d6f3b8f6a22','v-2','t-2','COMPLETED',100,0,-1,NULL,NULL,'2024-04-30T10:00:00+00:00','2024-04-30T10:10:00+00:00','2024-04-30T10:10:00+00:00','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',NULL,'clip','RUN',0,2,'',NULL,0,0,0,0,0,NULL,0,'/srv/downloads/v-2','[]',-1,-1,1,0,NULL);
CREATE TABLE job_files (
    job_id TEXT NOT NULL REFERENCES download_jobs (id) ON DELETE CASCADE,
    file_index INTEGER NOT NULL,
    path TEXT NOT NULL,
    size INTEGER NOT NULL,
    wanted INTEGER NOT NULL,
    progress REAL NOT NULL,
    output TEXT,
    PRIMARY KEY (job_id, file_index)
) WITHOUT ROWID;
INSERT INTO "job_files" VALUES('0b0e6d0a-3c55-4f0e-9c43-6a3f5f2f8f10',0,'film/film.mkv',1000,1,42.0,NULL);
CREATE TABLE resume_data (
    job_id TEXT PRIMARY KEY NOT NULL REFERENCES download_jobs (id) ON DELETE CASCADE,
    blob BLOB NOT NULL,
    saved_at TEXT NOT NULL,
    boot_id TEXT
);
INSERT INTO "resume_data" VALUES('0b0e6d0a-3c55-4f0e-9c43-6a3f5f2f8f10',X'6400FF65','2024-05-01T10:01:00+00:00','boot-1');
CREATE TABLE schema_migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL);
INSERT INTO "schema_migrations" VALUES(1,'jobs','2024-05-01T10:00:00+00:00');
INSERT INTO "schema_migrations" VALUES(2,'media','2024-05-01T10:00:00+00:00');
INSERT INTO "schema_migrations" VALUES(3,'words','2024-05-01T10:00:00+00:00');
CREATE TABLE session_state (
    key TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
);
INSERT INTO "session_state" VALUES('dht',X'0001');
CREATE TABLE subtitles (
    job_id TEXT NOT NULL REFERENCES download_jobs (id) ON DELETE CASCADE,
    file_index INTEGER NOT NULL,
    path TEXT NOT NULL,
    language TEXT,
    title TEXT,
    origin TEXT NOT NULL, note TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (job_id, path)
) WITHOUT ROWID;
INSERT INTO "subtitles" VALUES('5f7c1b1e-9d7a-4b53-8b3e-0d6f3b8f6a22',0,'/subtitles/v-2/en.vtt','en',NULL,'sidecar','');
CREATE INDEX download_jobs_status ON download_jobs (status);
CREATE INDEX download_jobs_info_hash ON download_jobs (info_hash);
CREATE INDEX download_jobs_info_hash_v2 ON download_jobs (info_hash_v2);
CREATE INDEX download_jobs_video_id ON download_jobs (video_id);
CREATE INDEX download_jobs_position ON download_jobs (position);
CREATE INDEX download_jobs_seeding ON download_jobs (seeding) WHERE seeding = 1;
CREATE INDEX download_jobs_listing ON download_jobs (
    CASE status WHEN 'DOWNLOADING' THEN 0 WHEN 'CONVERTING' THEN 0
                WHEN 'PENDING' THEN 1 WHEN 'PAUSED' THEN 1 ELSE 2 END,
    CASE WHEN status IN ('COMPLETED', 'FAILED', 'CANCELLED') THEN updated_at END DESC,
    priority DESC,
    position,
    status,
    id
);
CREATE INDEX cached_videos_job_id ON cached_videos (job_id);
CREATE INDEX cached_videos_last_access ON cached_videos (last_access);
COMMIT;
