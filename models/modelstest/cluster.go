package modelstest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// cluster is a PostgreSQL server in which tests get databases of their own.
type cluster struct {
	admin  *sql.DB
	url    *url.URL // of the database admin is connected to
	prefix string   // of all databases made here: other test processes may use the same server
	server *server  // nil when KEFU_TEST_POSTGRES names it

	made     atomic.Int64
	template func() (string, error) // name of a migrated database
	mu       sync.Mutex             // two copies of one template at a time are refused by PostgreSQL
}

func (r *run) startPostgres() (*cluster, error) {
	address := os.Getenv("KEFU_TEST_POSTGRES")
	c := &cluster{prefix: fmt.Sprintf("kefu_test_%d_", os.Getpid())}
	if address == "" {
		var err error
		if c.server, err = startServer(r.dir); err != nil {
			return nil, err
		}
		address = c.server.url
	}
	r.started = c
	var err error
	if c.url, err = url.Parse(address); err != nil {
		return nil, fmt.Errorf("KEFU_TEST_POSTGRES: %w", err)
	}
	if c.admin, err = sql.Open("pgx", address); err != nil {
		return nil, err
	}
	if err := c.admin.Ping(); err != nil {
		return nil, fmt.Errorf("PostgreSQL for tests: %w", err)
	}
	c.template = sync.OnceValues(c.makeTemplate)
	return c, nil
}

// stop drops what is left and ends the server.
func (c *cluster) stop() error {
	var errs []error
	if c.admin != nil {
		if c.server == nil && c.made.Load() > 0 {
			_, err := c.admin.Exec("DROP DATABASE IF EXISTS " + c.prefix + "template")
			errs = append(errs, err)
		}
		errs = append(errs, c.admin.Close())
	}
	if c.server != nil {
		errs = append(errs, c.server.stop())
	}
	return errors.Join(errs...)
}

func (c *cluster) makeTemplate() (string, error) {
	name := c.prefix + "template"
	if _, err := c.admin.Exec("CREATE DATABASE " + name); err != nil {
		return "", err
	}
	return name, migrate(c.address(name))
}

// create makes a database, empty or with the schema.
func (c *cluster) create(migrated bool) (address string, drop func() error, err error) {
	name := fmt.Sprintf("%s%d", c.prefix, c.made.Add(1))
	statement := "CREATE DATABASE " + name //nolint:gosec // a name of our own
	if migrated {
		template, err := c.template()
		if err != nil {
			return "", nil, err
		}
		statement += " TEMPLATE " + template
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.admin.ExecContext(context.Background(), statement); err != nil {
		return "", nil, err
	}
	drop = func() error {
		// FORCE ends connections that a process under test left behind, as a killed one does.
		_, err := c.admin.Exec("DROP DATABASE " + name + " WITH (FORCE)")
		return err
	}
	return c.address(name), drop, nil
}

// address is the server's address with another database.
func (c *cluster) address(database string) string {
	u := *c.url
	u.Path = "/" + database
	return u.String()
}
