"""The endpoints: plain functions from a request to a response. The table of paths is inkdigits.server.routes."""
