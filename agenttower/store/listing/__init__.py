"""The rows that ``app.*`` shows, one entity a file: by id, and page by page in every order."""
