@ECHO OFF
REM Name: rollback-chatbot.bat
REM Purpose: Roll a chatbot back; --help says how. All of it is in scripts\operate\rollback.py.
REM PYTHON names another interpreter than the one on the PATH.
SETLOCAL EnableExtensions DisableDelayedExpansion
IF NOT DEFINED PYTHON SET "PYTHON=python"
"%PYTHON%" "%~dp0operate\rollback.py" %*
EXIT /B %ERRORLEVEL%
