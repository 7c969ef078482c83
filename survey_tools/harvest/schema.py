"""The tables of a store, and how an older store becomes a newer one.

A store says its schema version in ``PRAGMA user_version``; entry i of `MIGRATIONS` brings a
store from version i to i + 1. Entries are never changed once released, only added.
"""

__all__ = ["APPLICATION_ID", "INDEX_ROWS", "INDEX_TITLES", "LAST_INDEXED", "MIGRATIONS"]

APPLICATION_ID = 0x53757254  # "SurT": what the file says it is

_PAPERS = (
    """CREATE TABLE papers (
        paper_id INTEGER PRIMARY KEY,
        arxiv_id TEXT NOT NULL UNIQUE,   -- canonical, without version
        version INTEGER NOT NULL,        -- the one that the texts are of
        title TEXT NOT NULL,
        abstract TEXT NOT NULL,
        authors TEXT NOT NULL,           -- one name a line
        categories TEXT NOT NULL,        -- the primary one first, blanks between
        comment TEXT, journal_ref TEXT, doi TEXT, license_url TEXT,
        withdrawn INTEGER NOT NULL,
        as_of TEXT NOT NULL,             -- day for which the source vouches
        raw TEXT,                        -- JSON: [[field, text as it came], ...]
        title_key TEXT NOT NULL,         -- what must be equal in two writings of a title
        title_words TEXT                 -- the same in words, where the title is not plain
    )""",
    """CREATE TABLE versions (
        paper_id INTEGER NOT NULL REFERENCES papers,
        number INTEGER NOT NULL,
        submitted TEXT,                  -- YYYY-MM-DDTHH:MM:SSZ
        withdrawn INTEGER NOT NULL,
        as_of TEXT,                      -- day for which the texts were vouched
        title TEXT, abstract TEXT,       -- of versions that are not the current one, where seen
        PRIMARY KEY (paper_id, number)
    ) WITHOUT ROWID""",
    """CREATE TABLE jobs (
        job_id INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,              -- query, ids, oai, snapshot, titles
        arguments TEXT NOT NULL,         -- JSON with sorted names
        resume TEXT NOT NULL,            -- the command that goes on
        as_of TEXT,                      -- server's day of the last complete answer
        status TEXT, n_missing INTEGER,  -- how its last run ended
        rescanned_on TEXT,               -- day of the last wide overlap (OAI-PMH)
        owner TEXT, heartbeat TEXT,      -- the process that works on it
        UNIQUE (kind, arguments)
    )""",
    """CREATE TABLE windows (
        window_id INTEGER PRIMARY KEY,
        job_id INTEGER NOT NULL REFERENCES jobs,
        parent_id INTEGER REFERENCES windows,
        scope TEXT NOT NULL,             -- JSON: dates or ids
        state TEXT NOT NULL,             -- open, split, short, done
        total INTEGER,                   -- results that the server counts
        progress TEXT NOT NULL,          -- JSON: where to go on
        as_of TEXT,                      -- server's day of its first answer
        reason TEXT                      -- why it is still open
    )""",
    "CREATE INDEX windows_by_job ON windows (job_id, state)",
    "CREATE INDEX windows_by_parent ON windows (parent_id)",
    """CREATE TABLE members (
        window_id INTEGER NOT NULL REFERENCES windows,
        arxiv_id TEXT NOT NULL,          -- a paper that the window's answer held
        PRIMARY KEY (window_id, arxiv_id)
    ) WITHOUT ROWID""",
    """CREATE TABLE pages (
        page_id INTEGER PRIMARY KEY,
        window_id INTEGER REFERENCES windows,
        url TEXT NOT NULL,               -- with the parameters, however they were sent
        fetched_at TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        n_entries INTEGER NOT NULL,
        is_repaired INTEGER NOT NULL,
        body BLOB NOT NULL               -- zlib
    )""",
    """CREATE TABLE quarantine (
        entry_id INTEGER PRIMARY KEY,
        window_id INTEGER NOT NULL REFERENCES windows,
        arxiv_id TEXT,
        reason TEXT NOT NULL,
        xml TEXT NOT NULL,               -- the entry as it came
        state TEXT NOT NULL              -- open, refetched
    )""",
    "CREATE INDEX quarantine_by_window ON quarantine (window_id, state)",
    """CREATE TABLE hosts (
        host TEXT PRIMARY KEY,
        cooldown_until TEXT, cooldown_s REAL NOT NULL DEFAULT 0,
        n_strikes INTEGER NOT NULL DEFAULT 0,
        moved_to TEXT                    -- where the service redirects for good
    )""",
    """CREATE TABLE unknown_titles (
        title_key TEXT PRIMARY KEY,      -- asked of arXiv, which found nothing
        asked_on TEXT NOT NULL
    )""",
)

# Full text over titles and abstracts; the index holds no copy of them. Rows are indexed later, by
# one statement for many (`INDEX_ROWS`): a trigger for each would flush the index at each, which
# takes four times as long.
_TEXTS = (
    """CREATE VIRTUAL TABLE texts USING fts5 (
        title, abstract, title_words, content = 'papers', content_rowid = 'paper_id',
        tokenize = 'unicode61 remove_diacritics 2'
    )""",
    # in order of the key, and later as well: random keys would rewrite all its pages at each page
    """CREATE TABLE titles (
        title_key TEXT NOT NULL,
        paper_id INTEGER NOT NULL REFERENCES papers,
        PRIMARY KEY (title_key, paper_id)
    ) WITHOUT ROWID""",
    "CREATE VIRTUAL TABLE words USING fts5vocab (texts, 'col')",
    """CREATE TRIGGER texts_changed AFTER UPDATE OF title, abstract, title_words ON papers
    WHEN new.paper_id <= (SELECT coalesce(max(id), 0) FROM texts_docsize) BEGIN
        INSERT INTO texts (texts, rowid, title, abstract, title_words)
            VALUES ('delete', old.paper_id, old.title, old.abstract, old.title_words);
        INSERT INTO texts (rowid, title, abstract, title_words)
            VALUES (new.paper_id, new.title, new.abstract, new.title_words);
        DELETE FROM titles WHERE title_key = old.title_key AND paper_id = old.paper_id;
        INSERT INTO titles (title_key, paper_id) VALUES (new.title_key, new.paper_id);
    END""",
    "INSERT INTO texts (texts, rank) VALUES ('hashsize', 16777216)",  # bytes; a quarter faster
)

LAST_INDEXED = "SELECT coalesce(max(id), 0) FROM texts_docsize"

# Titles in a full-text index of their own: a word's entries there are a tenth of those in `texts`,
# where most of them are of abstracts, so that similar titles are found in a fifth of the time.
_TITLE_TEXTS = (
    """CREATE VIRTUAL TABLE title_texts USING fts5 (
        title, title_words, content = 'papers', content_rowid = 'paper_id',
        tokenize = 'unicode61 remove_diacritics 2'
    )""",
    "INSERT INTO title_texts (rowid, title, title_words) SELECT paper_id, title, title_words "
    f"FROM papers WHERE paper_id <= ({LAST_INDEXED}) ORDER BY paper_id",
    "DROP TABLE words",
    "CREATE VIRTUAL TABLE words USING fts5vocab (title_texts, 'row')",
    "DROP TRIGGER texts_changed",
    f"""CREATE TRIGGER texts_changed AFTER UPDATE OF title, abstract, title_words ON papers
    WHEN new.paper_id <= ({LAST_INDEXED}) BEGIN
        INSERT INTO texts (texts, rowid, title, abstract, title_words)
            VALUES ('delete', old.paper_id, old.title, old.abstract, old.title_words);
        INSERT INTO texts (rowid, title, abstract, title_words)
            VALUES (new.paper_id, new.title, new.abstract, new.title_words);
        INSERT INTO title_texts (title_texts, rowid, title, title_words)
            VALUES ('delete', old.paper_id, old.title, old.title_words);
        INSERT INTO title_texts (rowid, title, title_words)
            VALUES (new.paper_id, new.title, new.title_words);
        DELETE FROM titles WHERE title_key = old.title_key AND paper_id = old.paper_id;
        INSERT INTO titles (title_key, paper_id) VALUES (new.title_key, new.paper_id);
    END""",
)

INDEX_ROWS = (
    "INSERT INTO texts (rowid, title, abstract, title_words) "
    "SELECT paper_id, title, abstract, title_words FROM papers "
    "WHERE paper_id > ? ORDER BY paper_id LIMIT ?"
)
INDEX_TITLES = (
    "INSERT INTO title_texts (rowid, title, title_words) SELECT paper_id, title, title_words "
    "FROM papers WHERE paper_id > ? AND paper_id <= ? ORDER BY paper_id",
    "INSERT INTO titles (title_key, paper_id) SELECT title_key, paper_id FROM papers "
    "WHERE paper_id > ? AND paper_id <= ? ORDER BY title_key, paper_id",
)
MIGRATIONS: tuple[tuple[str, ...], ...] = (_PAPERS, _TEXTS, _TITLE_TEXTS)
